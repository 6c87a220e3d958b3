"""Messages from outside as people read them, and those that nothing waits for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from engine.codec import unpack
from engine.definitions import Bundle
from engine.messages import UNTAKEN
from engine.safe_xml import parse_xml
from engine.store.tables import Instance, Message, ProcessVersion
from engine.views import MessageState
from handlers import reports_in
from handlers.tables import Shipment
from web.rows import UnusedMessage
from web.text import label, money, report_word
from web.texts import N_, _

_AWAITED = {
    reports_in.TRANSFER: N_("the customer’s bank transfer"),
    reports_in.PICKED_UP: N_("the courier’s pickup"),
    reports_in.REPORTED: N_("the courier’s report"),
    reports_in.STOCK_ARRIVED: N_("stock to arrive"),
}
_HAPPENED = {
    reports_in.TRANSFER: N_("The bank reported the customer’s transfer"),
    reports_in.PICKED_UP: N_("The courier reported the pickup"),
    reports_in.REPORTED: N_("The courier reported on the shipment"),
    reports_in.STOCK_ARRIVED: N_("Stock was reported to have arrived"),
}
_WHYS = {
    "early": N_("The order does not wait for it now. It is kept, and taken if the order comes to wait for it."),
    "no_order": N_("There is no such order. It is kept, and taken should the order come."),
    "ended": N_("The order has ended. No order will take it."),
    "passed": N_("The order has taken such a message before, and does not wait for another now."),
    "not_accepted": N_("The order waits for such a message, and this one does not fit what the order waits for."),
    "failed": N_("The order waits for it, and taking it failed. The order’s incident says why."),
}
_SHORT_WHYS = {
    "early": N_("not asked for now"),
    "no_order": N_("no such order"),
    "ended": N_("the order has ended"),
    "passed": N_("not asked for any more"),
    "not_accepted": N_("does not fit"),
    "failed": N_("taking it failed"),
}
_CATCHES = ("receiveTask", "messageEventDefinition")
_BPMN = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
_names_of_content: dict[str, frozenset[str]] = {}
"""Content hash of a bundle → the messages its catches name. A bundle never changes."""


def awaited(name: str) -> str:
    """What an order waits for when it awaits that message: `the customer’s bank transfer`."""
    return _(_AWAITED[name]) if name in _AWAITED else label(name.replace(".", " "))


def happened(name: str) -> str:
    """What came to pass when an order took that message: `The courier reported the pickup`."""
    return _(_HAPPENED[name]) if name in _HAPPENED else _("The message “%(name)s” came", name=name)


def why(code: str) -> str:
    """Why nobody has taken a message, in a sentence."""
    return _(_WHYS[code])


def short_why(code: str) -> str:
    """The same in a few words, for lists."""
    return _(_SHORT_WHYS[code])


def told(name: str, payload: Mapping[str, Any]) -> str:
    """What a message said, with whose matter it is: `Finance: a transfer of €35.52 was received`."""
    booking = payload.get("booking")
    of = str(booking)[:60] if booking else ""
    if name == reports_in.TRANSFER:
        amount = _amount(payload)
        if not amount:
            return _("Finance: a transfer was received")
        return _("Finance: a transfer of %(amount)s was received", amount=amount)
    if name == reports_in.PICKED_UP:
        if not of:
            return _("Shipping: the pickup was reported")
        return _("Shipping: the pickup of booking %(booking)s was reported", booking=of)
    if name == reports_in.REPORTED:
        word = report_word(str(payload.get("status", ""))[:40]) or _("something")
        if not of:
            return _("Shipping: “%(report)s” was reported", report=word)
        return _("Shipping: “%(report)s” was reported of booking %(booking)s", report=word, booking=of)
    if name == reports_in.STOCK_ARRIVED:
        return _("Warehouse: stock was reported to have arrived")
    return _("A message “%(name)s” was received", name=name)


def _amount(payload: Mapping[str, Any]) -> str:
    amount, currency = payload.get("amount"), payload.get("currency")
    if isinstance(amount, int) and not isinstance(amount, bool) and isinstance(currency, str) and len(currency) == 3:
        return money(amount, currency)
    return ""


def unused(session: Session, number: str) -> tuple[UnusedMessage, ...]:
    """Messages about one order that nobody took and nothing waits for, oldest first. One statement."""
    found = session.execute(_unused().where(Message.correlation == number).order_by(Message.id).limit(200))
    return _rows(found.all())


def besides(state: MessageState | None) -> ColumnElement[bool] | None:
    """What a list of messages in that state leaves out: of those that nobody took, the everyday ones."""
    return everyday() if state in ("unmatched", "waiting") else None


def everyday() -> ColumnElement[bool]:
    """Messages that are nobody's matter although no order takes them: the courier's word of a pickup that somebody had
    confirmed already. A condition on `Message`."""
    known = select(Shipment.reference).where(
        Shipment.order_number == Message.correlation, Shipment.picked_up_at.is_not(None)
    )
    return and_(Message.name == reports_in.PICKED_UP, known.exists())


def _unused() -> Any:
    m = Message
    columns = (m.message_id, m.correlation, m.name, m.source, m.received_at, m.payload, Instance.status)
    return select(*columns).outerjoin(Instance, Instance.business_key == m.correlation).where(_nobody_takes())


def _nobody_takes() -> ColumnElement[bool]:
    awaited_now = Instance.awaits.contains(" " + Message.name + " ")
    return and_(UNTAKEN, or_(Instance.id.is_(None), ~awaited_now))


def _rows(found: Sequence[Any]) -> tuple[UnusedMessage, ...]:
    result = []
    for row in found:
        payload = unpack(row.payload)
        payload = payload if isinstance(payload, dict) else {}
        result.append(
            UnusedMessage(
                id=row.message_id, order=row.correlation, name=row.name, source=row.source,
                received_at=row.received_at, payload=payload, text=told(row.name, payload),
                order_state=row.status,
            )
        )  # fmt: skip
    return tuple(result)


def known_names(session: Session) -> frozenset[str]:
    """The names that a catch of any deployed version names."""
    hashes = set(session.scalars(select(ProcessVersion.content_hash).where(ProcessVersion.state == "deployed")))
    missing = hashes - _names_of_content.keys()
    if missing:
        wanted = select(ProcessVersion.content_hash, ProcessVersion.bundle).where(
            ProcessVersion.content_hash.in_(missing)
        )
        for content, packed in session.execute(wanted):
            _names_of_content[content] = _names_in(Bundle.unpack(packed))
    return frozenset[str]().union(*(_names_of_content[content] for content in hashes))


def _names_in(bundle: Bundle) -> frozenset[str]:
    found = set()
    for name, data in bundle.files.items():
        if not name.endswith(".bpmn"):
            continue
        root, _faults = parse_xml(data, name)
        if root is None:
            continue
        names = {message.get("id"): message.get("name") for message in root.iter(f"{_BPMN}message")}
        for kind in _CATCHES:
            for node in root.iter(f"{_BPMN}{kind}"):
                parent = node.getparent()
                throws = parent is not None and parent.tag in (f"{_BPMN}endEvent", f"{_BPMN}intermediateThrowEvent")
                if not throws and (message := names.get(node.get("messageRef"))):
                    found.add(message)
    return frozenset(found)
