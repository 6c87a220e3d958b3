"""What changes between two versions as rows of a table, with the words that differ marked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

from markupsafe import Markup, escape

from engine.diff import Change, Detail, DiagramChange, Difference, FileChange

MOST_ROWS = 300
"""Rows that a page shows; whoever changes more reads the rest on the command line."""
_MOST_WORDS = 1500
_ALIKE = 0.4
"""How much of two texts must be the same for marking single words to help."""
_WORD = re.compile(r"\s+|\d[\d.,]*\d|\w+|[^\w\s]")
_NONE = Markup("–")


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that changed."""

    words: str
    was: Markup
    now: Markup


@dataclass(frozen=True, slots=True)
class Row:
    """One element, form or table with what changed in it."""

    name: str
    note: str
    """The file, where it is a form or a table."""
    show: tuple[str, str] | None
    """Process and element that the picture shows."""
    lines: tuple[Line, ...]
    rest: tuple[tuple[str, str], ...] = ()
    """What else an added or removed element says."""
    gone: bool = False
    """It was removed, so that `rest` is what it said."""


def rows(found: Difference) -> list[Row]:
    """Every change that is told in words: elements, then forms, then decision tables."""
    made = [row for diagram in found.diagrams for row in _diagram(diagram)]
    made += [_file(form, "form") for form in found.forms]
    made += [_file(table, "decision") for table in found.decisions]
    return made


def _diagram(diagram: DiagramChange) -> Iterator[Row]:
    if diagram.kind != "changed":
        elements = escape(f"{sum(change.element != diagram.process for change in diagram.changes)} elements")
        was, now = (_NONE, elements) if diagram.kind == "added" else (elements, _NONE)
        yield Row(diagram.name, "", None, (Line(f"{diagram.kind}, process", was, now),))
        return
    # what follows from another change, such as the flows of a new task, comes last: the picture counts it too
    follows = [change for change in diagram.changes if change.implied and change.kind != "moved"]
    for change in (*diagram.told, *follows):
        show = (diagram.process, change.element) if change.element != diagram.process else None
        if change.kind == "changed":
            yield Row(change.name, "", show, tuple(_line(detail, detail.words) for detail in change.details))
        else:
            yield _whole(change, show)


def _whole(change: Change, show: tuple[str, str] | None) -> Row:
    """An element that was added or removed, in one line; the rest of what it says is folded away."""
    summary = Markup(", ").join(
        Markup("{} {}").format(detail.what, _value(detail.now if detail.was is None else detail.was, code=detail.code))
        for detail in change.summary
    )
    was, now = (_NONE, summary) if change.kind == "added" else (summary, _NONE)
    line = Line(f"{change.kind}, {change.type}", was or _NONE, now or _NONE)
    rest = tuple(
        (d.what, (d.now if d.was is None else d.was) or "") for d in change.details if not d.brief and d.what != "lane"
    )
    return Row(change.name, "", show, (line,), rest, change.kind == "removed")


def _file(change: FileChange, kind: str) -> Row:
    names = list(dict.fromkeys(user.name for user in change.used_by))
    show = (change.used_by[0].process, change.used_by[0].element) if change.used_by else None
    lines = tuple(
        _line(detail, f"{kind} {change.kind}" if not detail.what else f"{kind}: {detail.words}")
        for detail in change.details
    )
    file = change.file.rpartition("/")[2]
    note = f"{change.name}, {file}" if names else f"{file}, nobody uses it"
    return Row(", ".join(names) or change.name, note, show, lines)


def _line(detail: Detail, words: str) -> Line:
    if detail.was is None or detail.now is None:
        return Line(words, _value(detail.was, code=detail.code), _value(detail.now, code=detail.code))
    was, now = marked(detail.was, detail.now)
    return Line(words, _coded(was) if detail.code else was, _coded(now) if detail.code else now)


def _value(text: str | None, *, code: bool) -> Markup:
    if text is None:
        return _NONE
    return _coded(escape(text)) if code else escape(text)


def _coded(text: Markup) -> Markup:
    return Markup('<span class="code">{}</span>').format(text)


def marked(was: str, now: str) -> tuple[Markup, Markup]:
    """Two texts with what only one of them has marked; unmarked where hardly anything is the same."""
    before, after = _WORD.findall(was), _WORD.findall(now)
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    if len(before) + len(after) > _MOST_WORDS or len(before) < 2 or matcher.ratio() < _ALIKE:
        return escape(was), escape(now)
    old, new = [], []
    for what, i, j, k, m in matcher.get_opcodes():
        left, right = escape("".join(before[i:j])), escape("".join(after[k:m]))
        old.append(left if what == "equal" else Markup("<del>{}</del>").format(left) if left else left)
        new.append(right if what == "equal" else Markup("<ins>{}</ins>").format(right) if right else right)
    return Markup("").join(old), Markup("").join(new)
