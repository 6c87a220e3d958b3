"""An order's history in sentences: who did what, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from engine.views import EventView
from web.queries import PROCESS
from web.text import label, short_hash

MACHINE = "waybill"
_DECIDED = {"approve": "approved", "send_back": "sent it back"}
_OF_THE_ORDER = frozenset({"cancelling", "ended"})
"""What happens to the order itself, whoever set it off."""
_MESSAGES = {
    "courier.picked_up": "the pickup",
    "courier.reported": "news of the shipment",
    "bank.transfer_received": "a bank transfer",
    "stock.arrived": "new stock",
}
_RECORDED = {"mail.send": "Mail sent to the customer", "document.render": "Document made"}


@dataclass(frozen=True, slots=True)
class Sentence:
    """One line of the history. With `who`, the text goes on after the name."""

    at: datetime
    who: str
    text: str
    small: str
    quote: str = ""
    bad: bool = False
    person: bool = False


def sentences(events: Iterable[EventView], who: Callable[[str | None], str]) -> list[Sentence]:
    """Every event as a sentence, oldest first. The first one says what was started: an order, or another process."""
    told = list(events)
    it = "it" if told and told[0].process != PROCESS else "the order"
    return [_sentence(event, who, it) for event in told]


def _sentence(event: EventView, who: Callable[[str | None], str], it: str) -> Sentence:
    detail = event.detail
    person = event.actor != MACHINE and event.kind not in _OF_THE_ORDER
    name = event.name or (label(event.element) if event.element else "")
    text, quote, bad = _words(event.kind, name, detail, person=person, it=it)
    return Sentence(
        at=event.at,
        who=_name(event, who) if person else "",
        text=text,
        small=_small(event, person=person),
        quote=quote,
        bad=bad,
        person=person,
    )


def _name(event: EventView, who: Callable[[str | None], str]) -> str:
    """A person's name; of a message the one who sent it."""
    return label(event.actor) if event.kind == "message" else who(event.actor)


def _words(kind: str, name: str, detail: Mapping[str, Any], *, person: bool, it: str) -> tuple[str, str, bool]:
    comment = str(detail.get("comment") or detail.get("reason") or "")
    decision, it_first = detail.get("decision"), it.capitalize()
    match kind:
        case "completed" if decision:
            step = f" to step {detail['send_back_to']}" if detail.get("send_back_to") else ""
            said = f"rejected {it}" if decision == "reject" else _DECIDED.get(str(decision), str(decision))
            return f"{said}{step}", comment, decision == "reject"
        case "completed":
            return (f"completed “{name}”" if person else name), comment, False
        case "signed":
            return f"approved, {detail.get('have')} of {detail.get('need')} signatures", comment, False
        case "signature_refused":
            return f"tried to sign and was refused: {detail.get('why', '')}", "", True
        case "started":
            return (f"started {it}" if person else f"{it_first} was started"), "", False
        case "claimed" | "released" | "assigned":
            return f"{kind} the task" if person else f"{name}: {kind}", "", False
        case "noted":
            return "noted", comment, False
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
