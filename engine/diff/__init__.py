"""What two bundles have otherwise, in words: elements, forms, decision tables, steps and gates.

`compare` is a pure function. Elements are told apart by their ids. A file that is only written otherwise (white space,
the order of attributes or keys, another prefix) is no change. Its parts: `reading` (diagrams into facts), `diagrams`,
`forms`, `decisions`, `words`, and `model`, which holds what it answers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from lxml import etree

from engine.definitions import Bundle
from engine.diff.decisions import Table, compare_tables, read_tables, table_words
from engine.diff.diagrams import compare_diagrams, compare_steps
from engine.diff.forms import compare_form, form_words
from engine.diff.model import Change, Detail, DiagramChange, Difference, FileChange, Mark, Steps, User
from engine.diff.reading import ReadProcess, read_diagrams
from engine.errors import CannotDeploy, Finding
from engine.safe_xml import parse_xml

__all__ = ["Change", "Detail", "DiagramChange", "Difference", "FileChange", "Steps", "User", "compare"]

T = TypeVar("T")


def compare(old: Bundle, new: Bundle) -> Difference:
    """What `new` has otherwise than `old`.

    CannotDeploy, with the file, the line and what to do: a file cannot be read, as may be in a draft.
    """
    faults: list[Finding] = []
    before, after = _Read(old, faults), _Read(new, faults)
    if faults:
        raise CannotDeploy(faults)
    forms = list(_forms(before, after))
    decisions = list(_decisions(before, after))
    touched: dict[str, set[str]] = {}
    for file in (*forms, *decisions):
        for user in file.used_by:
            touched.setdefault(user.process, set()).add(user.element)
    return Difference(
        diagrams=tuple(compare_diagrams(before.processes, after.processes, touched)),
        forms=tuple(forms), decisions=tuple(decisions), steps=compare_steps(before.processes, after.processes),
    )  # fmt: skip


class _Read:
    """A bundle, read. Adds to `faults` what cannot be."""

    def __init__(self, bundle: Bundle, faults: list[Finding]) -> None:
        self.forms: dict[str, dict[str, Any]] = {}
        self.tables: dict[str, Table] = {}
        self.table_files: dict[str, str] = {}
        roots: dict[str, etree._Element] = {}
        for file, data in sorted(bundle.files.items()):
            if file.endswith(".json"):
                self.forms[file] = _json(data, file, faults)
                continue
            root, found = parse_xml(data, file)
            faults += [finding for finding in found if finding.severity == "error"]
            if root is not None and file.endswith(".bpmn"):
                roots[file] = root
            elif root is not None:
                tables = read_tables(root)
                self.tables.update(tables)
                self.table_files.update(dict.fromkeys(tables, file))
        self.processes: dict[str, ReadProcess] = read_diagrams(roots)

    def users(self, *, form: str | None = None, decision: str | None = None) -> list[User]:
        """The elements that name this form or this decision."""
        return [
            User(process.id, item.id, item.name)
            for process in self.processes.values() for item in process.items.values()
            if (form is not None and item.form == form) or (decision is not None and item.decision == decision)
        ]  # fmt: skip


def _json(data: bytes, file: str, faults: list[Finding]) -> dict[str, Any]:
    try:
        read = json.loads(data)
        if isinstance(read, dict):
            return read
        message, line = "The file holds no JSON object.", None
    except (ValueError, RecursionError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else None
        message = "The file is not JSON" + (f"; see line {line}." if line else ".")
    faults.append(Finding(file, None, None, line, "form-json", message, "Correct it, then compare again."))
    return {}


def _forms(old: _Read, new: _Read) -> Iterable[FileChange]:
    """A form and its UI schema count as one."""
    names = [name for name in _both(old.forms, new.forms) if not name.endswith(".ui.json")]
    orphans = [name for name in _both(old.forms, new.forms)
               if name.endswith(".ui.json") and _schema_of(name) not in names]  # fmt: skip
    for name in (*names, *orphans):
        before, after = old.forms.get(name), new.forms.get(name)
        ui = name if name in orphans else name.removesuffix(".json") + ".ui.json"
        schema = after if after is not None else before or {}
        if before is None or after is None:
            words = form_words(schema) if name in names else "UI schema"
            details = [Detail("", words if after is None else None, words if before is None else None)]
        else:
            details = compare_form(before, after, old.forms.get(ui, {}), new.forms.get(ui, {}))
        if details:
            file = name.rpartition("/")[2]
            yield FileChange(
                _kind(before, after), name, str(schema.get("title") or file.removesuffix(".json")),
                _users(old.users(form=file), new.users(form=file), new), tuple(details),
            )  # fmt: skip


def _decisions(old: _Read, new: _Read) -> Iterable[FileChange]:
    for decision in _both(old.tables, new.tables):
        before, after = old.tables.get(decision), new.tables.get(decision)
        shown = after or before
        assert shown is not None
        if before is None or after is None:
            words = table_words(shown)
            details = [Detail("", words if after is None else None, words if before is None else None)]
        else:
            details = compare_tables(before, after)
            if old.table_files[decision] != new.table_files[decision]:
                details.append(Detail("file", old.table_files[decision], new.table_files[decision], code=True))
        if details:
            file = (new.table_files if after is not None else old.table_files)[decision]
            users = _users(old.users(decision=decision), new.users(decision=decision), new)
            yield FileChange(_kind(before, after), file, shown.name, users, tuple(details))


def _users(old: list[User], new: list[User], after: _Read) -> tuple[User, ...]:
    """Who uses a file now; who used it, if nobody does and the element is still there."""
    kept = [user for user in old if user.process in after.processes
            and user.element in after.processes[user.process].items]  # fmt: skip
    return tuple(new or kept)


def _both(old: Mapping[str, T], new: Mapping[str, T]) -> list[str]:
    return sorted({*old, *new})


def _schema_of(ui: str) -> str:
    return ui.removesuffix(".ui.json") + ".json"


def _kind(before: object, after: object) -> Mark:
    return "added" if before is None else "removed" if after is None else "changed"
