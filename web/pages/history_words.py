"""What a line of an order's history says: a whole sentence in the reader's language, with the name of who did it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from markupsafe import Markup, escape

from engine.views import EventView
from web.names import named
from web.pages.shell import word
from web.text import bdi, label
from web.texts import N_, _

MACHINE = "waybill"
OF_THE_ORDER = frozenset({"cancelling", "ended"})
"""What happens to the order itself, whoever set it off."""
_BAD = frozenset({"signature_void", "override", "signature_refused", "wrong_scan", "refused", "incident", "cancelled"})
_QUOTED = {"wrong_scan": "message", "incident": "error"}
"""What a line quotes beside its sentence, where it is not a comment or reason."""
_UNQUOTED = frozenset({
    "signature_void", "signature_refused", "started", "asked", "claimed", "assigned", "question_withdrawn", "refused",
    "retried", "retry", "message", "cancelling", "recorded", "ended",
})  # fmt: skip
_SAID = {
    "signed": N_("%(who)s approved, %(have)s of %(need)s signatures"),
    "signature_void": N_("A signature is void. %(why)s"),
    "override": N_("%(who)s passed over the approvers"),
    "alarm_acknowledged": N_("%(who)s looked at the gate that was opened in an emergency"),
    "signature_refused": N_("%(who)s tried to sign and was refused: %(why)s"),
    "noted": N_("%(who)s noted"),
    "asked": N_("%(who)s asked %(team)s"),
    "answered": N_("%(who)s answered"),
    "question_withdrawn": N_("%(who)s withdrew the question to %(team)s"),
    "wrong_scan": N_("%(who)s scanned “%(code)s” and was refused"),
    "taken_over": N_("%(who)s took the task over"),
    "refused": N_("Refused: %(message)s"),
    "incident": N_("%(name)s gave up"),
    "cancelling": N_("What was done is being undone"),
    "timer": N_("timer: %(name)s"),
    "reminder": N_("reminder: %(name)s"),
    "escalated": N_("escalated: %(name)s"),
    "approval_void": N_("approval void: %(name)s"),
}
_DECIDED = {
    "approve": (N_("%(who)s approved"), N_("approved")),
    "send_back": (N_("%(who)s sent it back"), N_("sent it back")),
    "back_to": (N_("%(who)s sent it back to step %(step)s"), N_("sent it back to step %(step)s")),
    "reject": (N_("%(who)s rejected the order"), N_("rejected the order")),
    "reject_other": (N_("%(who)s rejected it"), N_("rejected it")),
    "emergency": (
        N_("%(who)s opened the gate in an emergency, without its approvers"),
        N_("opened the gate in an emergency, without its approvers"),
    ),
}
"""What was decided at a gate, with who did it and alone."""
_RETRIED = (N_("%(who)s tried it again"), N_("%(name)s: tried again"))
_BY_WHOM = {
    "completed": (N_("%(who)s completed “%(name)s”"), "%(name)s"),
    "claimed": (N_("%(who)s claimed the task"), N_("%(name)s: claimed")),
    "released": (N_("%(who)s released the task"), N_("%(name)s: released")),
    "assigned": (N_("%(who)s assigned the task"), N_("%(name)s: assigned")),
    "retried": _RETRIED,
    "retry": _RETRIED,
    "resolved": (N_("%(who)s resolved “%(name)s” by hand"), N_("%(name)s: resolved by hand")),
}
"""By a person, by itself."""
_TAKEN_BACK = (
    N_("%(who)s gave the task back to its team, taken back from %(was)s"), N_("%(name)s: taken back from %(was)s"),
)  # fmt: skip
_WENT = (N_("The order has gone its whole way"), N_("It has gone its whole way"))
_ENDED = (N_("The order ended"), N_("It ended"))
_OF_IT = {
    "started": (
        (N_("%(who)s started the order"), N_("%(who)s started it")),
        (N_("The order was started"), N_("It was started")),
    ),
    "cancelled": (
        (N_("%(who)s cancelled the order"), N_("%(who)s cancelled it")),
        (N_("The order was cancelled"), N_("It was cancelled")),
    ),
    "migrated": (
        (
            N_("%(who)s moved the order from version %(from)s to version %(to)s of the process"),
            N_("%(who)s moved it from version %(from)s to version %(to)s of the process"),
        ),
        (
            N_("The order was moved from version %(from)s to version %(to)s of the process"),
            N_("It was moved from version %(from)s to version %(to)s of the process"),
        ),
    ),
}
"""By a person, by itself; each of an order, of another instance."""


class _OfMessage(NamedTuple):
    """What is done with a message from outside."""

    message: str
    set_aside: str
    put_back: str


_MESSAGES = {
    "courier.picked_up": _OfMessage(
        N_("%(who)s reported the pickup"),
        N_("%(who)s set aside what was reported of the pickup"),
        N_("%(who)s put back what was reported of the pickup"),
    ),
    "courier.reported": _OfMessage(
        N_("%(who)s reported news of the shipment"),
        N_("%(who)s set aside what was reported of news of the shipment"),
        N_("%(who)s put back what was reported of news of the shipment"),
    ),
    "bank.transfer_received": _OfMessage(
        N_("%(who)s reported a bank transfer"),
        N_("%(who)s set aside what was reported of a bank transfer"),
        N_("%(who)s put back what was reported of a bank transfer"),
    ),
    "stock.arrived": _OfMessage(
        N_("%(who)s reported new stock"),
        N_("%(who)s set aside what was reported of new stock"),
        N_("%(who)s put back what was reported of new stock"),
    ),
}
_ANOTHER_MESSAGE = _OfMessage(
    N_("%(who)s reported %(message)s"),
    N_("%(who)s set aside what was reported of %(message)s"),
    N_("%(who)s put back what was reported of %(message)s"),
)
_RECORDED = {
    "mail.send": N_("Mail sent to the customer"),
    "document.render": N_("Document made"),
    "staff.mail": N_("Colleagues told by mail"),
}


KINDS = frozenset({*_SAID, *_BY_WHOM, *_OF_IT, "message", "set_aside", "put_back", "recorded", "ended"})
"""Every kind of event that has a sentence."""


@dataclass(frozen=True, slots=True)
class Words:
    """What a line says."""

    text: Markup
    quote: str
    bad: bool


def by_somebody(event: EventView) -> bool:
    """Whether the sentence names who did it."""
    return event.actor != MACHINE and event.kind not in OF_THE_ORDER


def words(event: EventView, who: Callable[[str | None], str], *, order: bool) -> Words:
    """The sentence of one event. `order`: it is about an order, not about an instance of another process."""
    detail = event.detail
    name = event.name or (label(event.element) if event.element else "")
    if event.kind == "incident":
        name = name or _("A job")
    values = {
        **{key: detail.get(key, "") for key in ("have", "need", "why", "code", "message", "from", "to", "refused")},
        "who": Markup("<b>{}</b>").format(bdi(label(event.actor) if event.kind == "message" else who(event.actor))),
        "name": name,
        "was": who(str(detail.get("was") or "")),
        "team": word(detail["team"]) if detail.get("team") else "",
        "drafts": ", ".join(who(str(each)) for each in detail.get("draft_by", ())),
        "hours": f"{detail.get('idle_hours') or 0:g}",
        "step": detail.get("send_back_to", ""),
    }
    if event.kind in ("refused", "message", "set_aside", "put_back") and not detail.get("message"):
        values["message"] = name
    if event.kind == "signature_refused":
        values["why"] = named(detail.get("why", ""), detail.get("who"))
    text = _filled(_sentence(event, order), values)
    if detail.get("on_behalf_of"):
        text = _filled(N_("%(told)s, for %(name)s"), {"told": text, "name": who(str(detail["on_behalf_of"]))})
    return Words(text, _quote(event), _is_bad(event))


def _filled(message: str, values: Mapping[str, Any]) -> Markup:
    return escape(_(message)) % values


def _sentence(event: EventView, order: bool) -> str:
    """The sentence in English, with places for its values."""
    kind, detail, person = event.kind, event.detail, by_somebody(event)
    own = 0 if order else 1
    match kind:
        case "completed" if detail.get("decision"):
            return _decided(detail, order)[0 if person else 1]
        case "completed" if person and detail.get("draft_by"):
            return N_("%(who)s completed “%(name)s”, with a draft of %(drafts)s")
        case "released" if detail.get("idle_hours"):
            return N_("%(name)s: taken back from %(was)s, nothing happened for %(hours)s h")
        case "released" if detail.get("was"):
            return _TAKEN_BACK[0 if person else 1]
        case "message" | "set_aside" | "put_back":
            return str(getattr(_MESSAGES.get(str(detail.get("message")), _ANOTHER_MESSAGE), kind))
        case "recorded" if detail.get("refused"):
            return N_("%(name)s: %(refused)s")
        case "recorded":
            return _RECORDED.get(str(detail.get("operation")), N_("Recorded: %(name)s"))
        case "ended" if detail.get("status") == "cancelled":
            return N_("The cancellation is done")
        case "ended":
            return (_WENT if detail.get("status") == "closed" else _ENDED)[own]
        case _ if kind in _OF_IT:
            return _OF_IT[kind][0 if person else 1][own]
        case _ if kind in _BY_WHOM:
            return _BY_WHOM[kind][0 if person else 1]
        case _:
            return _SAID[kind]


def _decided(detail: Mapping[str, Any], order: bool) -> tuple[str, str]:
    if detail.get("emergency"):
        return _DECIDED["emergency"]
    decision = str(detail["decision"])
    if decision == "send_back" and detail.get("send_back_to"):
        return _DECIDED["back_to"]
    return _DECIDED["reject_other" if decision == "reject" and not order else decision]


def decision_words(detail: Mapping[str, Any]) -> str:
    """What was decided about an order at a gate: `approved`, `sent it back to step 3`, `rejected the order`."""
    return _(_decided(detail, order=True)[1], step=detail.get("send_back_to", ""))


def _quote(event: EventView) -> str:
    detail = event.detail
    if event.kind in _QUOTED:
        return str(detail.get(_QUOTED[event.kind], ""))
    if event.kind in _UNQUOTED or detail.get("idle_hours"):
        return ""
    return str(detail.get("comment") or detail.get("reason") or "")


def _is_bad(event: EventView) -> bool:
    detail = event.detail
    return (
        event.kind in _BAD
        or (event.kind == "completed" and (detail.get("decision") == "reject" or bool(detail.get("emergency"))))
        or (event.kind == "recorded" and bool(detail.get("refused")))
    )
