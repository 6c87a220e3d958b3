"""An order's history in sentences: who did what, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from markupsafe import Markup

from engine.views import EventView
from web.pages.history_words import MACHINE, OF_THE_ORDER, by_somebody, words
from web.queries import PROCESS
from web.text import short_hash
from web.texts import _, ngettext
from web.variable_changes import Changed, changed

FEW, MORE, MOST = 40, 200, 5000
"""Lines that a page shows at first, that each further look adds, and that it shows at most."""
_NOTES = frozenset({"noted", "asked", "answered", "question_withdrawn"})


@dataclass(frozen=True, slots=True)
class Sentence:
    """One line of the history."""

    seq: int
    """Its number in the history."""
    at: datetime
    text: Markup
    """A whole sentence, with the name of who did it."""
    small: str
    quote: str = ""
    bad: bool = False
    changes: tuple[Changed, ...] = ()
    """What it changed in the order's data."""


@dataclass(frozen=True, slots=True)
class History:
    """The part of a history that a page shows."""

    lines: tuple[Sentence, ...]
    """Oldest first, ending with the newest."""
    show: str
    """Whose lines: `all`, `people` or `system`."""
    counts: Mapping[str, int]
    """How many lines each of these has."""
    asked: int
    """How many lines were asked for."""

    @property
    def earlier(self) -> int:
        """How many lines before the first shown one there are."""
        return self.counts[self.show] - len(self.lines)


def history_of(
    events: Sequence[EventView], who: Callable[[str | None], str], *, show: str = "all", lines: int = FEW
) -> History:
    """The newest lines of a history, of everybody or only of people or of the system."""
    people, system = [e for e in events if by_person(e)], [e for e in events if not by_person(e)]
    of: Mapping[str, Sequence[EventView]] = {"all": events, "people": people, "system": system}
    show, lines = show if show in of else "all", max(FEW, min(lines, MOST))
    return History(
        lines=tuple(sentences(of[show][-lines:], who, order=_of_an_order(events))),
        show=show,
        counts={name: len(found) for name, found in of.items()},
        asked=lines,
    )


def by_person(event: EventView) -> bool:
    """Whether a person did it, not Waybill itself or somebody outside."""
    return event.actor != MACHINE and event.kind not in (*OF_THE_ORDER, "message")


def notes_of(events: Sequence[EventView], who: Callable[[str | None], str]) -> tuple[Sentence, ...]:
    """What people wrote to one another, oldest first."""
    return tuple(sentences([e for e in events if e.kind in _NOTES], who, order=_of_an_order(events)))


def sentences(
    events: Iterable[EventView], who: Callable[[str | None], str], *, order: bool | None = None
) -> list[Sentence]:
    """Every event as a sentence, oldest first. `order` says whether they are of an order; else the first event does,
    by what was started: an order, or another process."""
    told = list(events)
    return [_sentence(event, who, _of_an_order(told) if order is None else order) for event in told]


def _of_an_order(events: Sequence[EventView]) -> bool:
    return not events or events[0].process == PROCESS


def gathered(events: Iterable[EventView], who: Callable[[str | None], str]) -> list[Sentence]:
    """The same in fewer lines: what Waybill did by itself within a minute is one line."""
    told = list(events)
    lines: list[Sentence] = []
    run: list[EventView] = []
    for event, line in zip(told, sentences(told, who), strict=True):
        quiet = event.kind == "completed" and event.actor == MACHINE and not line.bad
        if not quiet:
            run = []
        elif run and event.at - run[0].at < timedelta(minutes=1):
            run.append(event)
            lines[-1] = replace(lines[-1], text=lines[-1].text + ", " + line.text, small=_steps_of(run))
            continue
        else:
            run = [event]
        lines.append(line)
    return lines


def _steps_of(events: Iterable[EventView]) -> str:
    steps = list(dict.fromkeys(str(event.step) for event in events if event.step is not None))
    numbers = ngettext("step %(steps)s", "steps %(steps)s", len(steps), steps=", ".join(steps))
    return " · ".join([*([numbers] if steps else []), _("by Waybill")])


def _sentence(event: EventView, who: Callable[[str | None], str], order: bool) -> Sentence:
    said = words(event, who, order=order)
    return Sentence(
        seq=event.seq,
        at=event.at,
        text=said.text,
        small=_small(event),
        quote=said.quote,
        bad=said.bad,
        changes=changed(event.before, event.after),
    )


def _small(event: EventView) -> str:
    parts = []
    if event.step is not None:
        parts.append(_("step %(step)s", step=event.step))
    if event.name and event.detail.get("decision"):
        parts.append(event.name)
    if event.detail.get("snapshot"):
        parts.append(_("signed, snapshot %(snapshot)s", snapshot=short_hash(str(event.detail["snapshot"]))))
    if not by_somebody(event) and event.kind == "completed":
        parts.append(_("by Waybill"))
    if event.kind == "started" and event.detail.get("version"):
        parts.append(_("process version %(version)s", version=event.detail["version"]))
    return " · ".join(parts)
