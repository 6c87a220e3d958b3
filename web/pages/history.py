"""An order's history in sentences: who did what, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from engine.views import EventView
from web.names import named
from web.pages.shell import word
from web.queries import PROCESS
from web.text import label, short_hash
from web.variable_changes import Changed, changed

MACHINE = "waybill"
FEW, MORE, MOST = 40, 200, 5000
"""Lines that a page shows at first, that each further look adds, and that it shows at most."""
_NOTES = frozenset({"noted", "asked", "answered", "question_withdrawn"})
_DECIDED = {"approve": "approved", "send_back": "sent it back"}
_OF_THE_ORDER = frozenset({"cancelling", "ended"})
"""What happens to the order itself, whoever set it off."""
_MESSAGES = {
    "courier.picked_up": "the pickup",
    "courier.reported": "news of the shipment",
    "bank.transfer_received": "a bank transfer",
    "stock.arrived": "new stock",
}
_RECORDED = {"mail.send": "Mail sent to the customer", "document.render": "Document made",
             "staff.mail": "Colleagues told by mail"}


@dataclass(frozen=True, slots=True)
class Sentence:
    """One line of the history. With `who`, the text goes on after the name."""

    seq: int
    """Its number in the history."""
    at: datetime
    who: str
    text: str
    small: str
    quote: str = ""
    bad: bool = False
    person: bool = False
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
        lines=tuple(sentences(of[show][-lines:], who, it=_it(events))),
        show=show,
        counts={name: len(found) for name, found in of.items()},
        asked=lines,
    )


def by_person(event: EventView) -> bool:
    """Whether a person did it, not Waybill itself or somebody outside."""
    return event.actor != MACHINE and event.kind not in (*_OF_THE_ORDER, "message")


def notes_of(events: Sequence[EventView], who: Callable[[str | None], str]) -> tuple[Sentence, ...]:
    """What people wrote to one another, oldest first."""
    return tuple(sentences([e for e in events if e.kind in _NOTES], who, it=_it(events)))


def sentences(
    events: Iterable[EventView], who: Callable[[str | None], str], *, it: str | None = None
) -> list[Sentence]:
    """Every event as a sentence, oldest first. `it` is what they speak of; else the first event says what was started:
    an order, or another process."""
    told = list(events)
    return [_sentence(event, who, it or _it(told)) for event in told]


def _it(events: Sequence[EventView]) -> str:
    return "it" if events and events[0].process != PROCESS else "the order"


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
            lines[-1] = replace(lines[-1], text=f"{lines[-1].text}, {line.text}", small=_steps_of(run))
            continue
        else:
            run = [event]
        lines.append(line)
    return lines


def _steps_of(events: Iterable[EventView]) -> str:
    steps = list(dict.fromkeys(str(event.step) for event in events if event.step is not None))
    word = "step" if len(steps) == 1 else "steps"
    return " · ".join([*([f"{word} {', '.join(steps)}"] if steps else []), "by Waybill"])


def _sentence(event: EventView, who: Callable[[str | None], str], it: str) -> Sentence:
    detail = event.detail
    person = event.actor != MACHINE and event.kind not in _OF_THE_ORDER
    name = event.name or (label(event.element) if event.element else "")
    text, quote, bad = _words(event.kind, name, detail, who, person=person, it=it)
    if detail.get("on_behalf_of"):
        text = f"{text}, for {who(str(detail['on_behalf_of']))}"
    return Sentence(
        seq=event.seq,
        at=event.at,
        who=_name(event, who) if person else "",
        text=text,
        small=_small(event, person=person),
        quote=quote,
        bad=bad,
        person=person,
        changes=changed(event.before, event.after),
    )


def _name(event: EventView, who: Callable[[str | None], str]) -> str:
    """A person's name; of a message the one who sent it."""
    return label(event.actor) if event.kind == "message" else who(event.actor)


def _words(
    kind: str, name: str, detail: Mapping[str, Any], who: Callable[[str | None], str], *, person: bool, it: str
) -> tuple[str, str, bool]:
    comment = str(detail.get("comment") or detail.get("reason") or "")
    decision, it_first = detail.get("decision"), it.capitalize()
    match kind:
        case "completed" if decision:
            return decision_words(detail, it), comment, decision == "reject" or bool(detail.get("emergency"))
        case "completed":
            drafts = ", ".join(who(str(each)) for each in detail.get("draft_by", ()))
            done = f"completed “{name}”" + (f", with a draft of {drafts}" if drafts else "")
            return (done if person else name), comment, False
        case "signed":
            return f"approved, {detail.get('have')} of {detail.get('need')} signatures", comment, False
        case "signature_void":
            return f"A signature is void. {detail.get('why', '')}", "", True
        case "override":
            return "passed over the approvers", comment, True
        case "alarm_acknowledged":
            return "looked at the gate that was opened in an emergency", comment, False
        case "signature_refused":
            return f"tried to sign and was refused: {named(detail.get('why', ''), detail.get('who'))}", "", True
        case "started":
            return (f"started {it}" if person else f"{it_first} was started"), "", False
        case "released" if detail.get("idle_hours"):
            idle = f"nothing happened for {detail['idle_hours']:g} h"
            return f"{name}: taken back from {who(detail['was'])}, {idle}", "", False
        case "released" if detail.get("was"):
            taken = f"taken back from {who(detail['was'])}"
            return (f"gave the task back to its team, {taken}" if person else f"{name}: {taken}"), comment, False
        case "claimed" | "released" | "assigned":
            return f"{kind} the task" if person else f"{name}: {kind}", "", False
        case "noted":
            return "noted", comment, False
        case "asked":
            return f"asked {_asked(detail)}", comment, False
        case "answered":
            return "answered", comment, False
        case "question_withdrawn":
            return f"withdrew the question to {_asked(detail)}", "", False
        case "wrong_scan":
            return f"scanned “{detail.get('code')}” and was refused", str(detail.get("message", "")), True
        case "taken_over":
            return "took the task over", comment, False
        case "refused":
            return f"{'' if person else 'Refused: '}{detail.get('message', name)}", "", True
        case "incident":
            return f"{name or 'A job'} gave up", str(detail.get("error", "")), True
        case "retried" | "retry":
            return ("tried it again" if person else f"{name}: tried again"), "", False
        case "resolved":
            return (f"resolved “{name}” by hand" if person else f"{name}: resolved by hand"), comment, False
        case "message":
            message = str(detail.get("message", name))
            return f"reported {_MESSAGES.get(message, message)}", "", False
        case "set_aside" | "put_back":
            message = _MESSAGES.get(str(detail.get("message")), str(detail.get("message")))
            done = "set aside" if kind == "set_aside" else "put back"
            return f"{done} what was reported of {message}", comment, False
        case "cancelled":
            return (f"cancelled {it}" if person else f"{it_first} was cancelled"), comment, True
        case "cancelling":
            return "What was done is being undone", "", False
        case "recorded" if detail.get("refused"):
            return f"{name}: {detail['refused']}", "", True
        case "recorded":
            return _RECORDED.get(str(detail.get("operation")), f"Recorded: {name}"), "", False
        case "migrated":
            way = f"from version {detail.get('from')} to version {detail.get('to')} of the process"
            return f"moved {it} {way}" if person else f"{it_first} was moved {way}", comment, False
        case "ended" if detail.get("status") == "cancelled":
            return "The cancellation is done", "", False
        case "ended":
            return f"{it_first} {'has gone its whole way' if detail.get('status') == 'closed' else 'ended'}", "", False
        case _:
            words = kind.replace("_", " ")
            return (f"{words}: {name}" if name else words), comment, False


def decision_words(detail: Mapping[str, Any], it: str = "the order") -> str:
    """What was decided at a gate: `approved`, `sent it back to step 3`, `rejected the order`."""
    if detail.get("emergency"):
        return "opened the gate in an emergency, without its approvers"
    decision = str(detail["decision"])
    step = f" to step {detail['send_back_to']}" if detail.get("send_back_to") else ""
    return f"{f'rejected {it}' if decision == 'reject' else _DECIDED.get(decision, decision)}{step}"


def _asked(detail: Mapping[str, Any]) -> str:
    return word(detail.get("team"))


def _small(event: EventView, *, person: bool) -> str:
    parts = []
    if event.step is not None:
        parts.append(f"step {event.step}")
    if event.name and event.detail.get("decision"):
        parts.append(event.name)
    if event.detail.get("snapshot"):
        parts.append(f"signed, snapshot {short_hash(str(event.detail['snapshot']))}")
    if not person and event.kind == "completed":
        parts.append("by Waybill")
    if event.kind == "started" and event.detail.get("version"):
        parts.append(f"process version {event.detail['version']}")
    return " · ".join(parts)
