"""Messages from outside as people see them: who took each, which ones nobody takes and why, and setting those aside.

Delivering stands in `commands`. A message that was stored is never deleted: it is taken, waits, or is set aside.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from sqlalchemy import ColumnElement, Row, Select, and_, case, func, literal, or_, select
from sqlalchemy.orm import Session, aliased

from engine import forms
from engine.codec import unpack
from engine.commands import sentence
from engine.errors import Conflict, DatabaseTrouble, EngineError, InvalidForm, NotFound
from engine.reads import Reads
from engine.store.once import hold_key
from engine.store.tables import Instance, Job, Message
from engine.unit import Unit
from engine.views import Actor, MessageState, MessageView, MessageWhy, Page, SetAside
from handlers.contract import FieldError

LONGEST_REASON = 1000

UNTAKEN = and_(Message.consumed_at.is_(None), Message.set_aside_at.is_(None))
"""Messages that an order may still take; the index `message_waiting` holds these and no other."""
_AWAITED = Instance.awaits.contains(" " + Message.name + " ")
_earlier = aliased(Message)
_PASSED = (
    select(_earlier.id)
    .where(_earlier.correlation == Message.correlation, _earlier.name == Message.name,
           _earlier.consumed_at.is_not(None))
    .exists()
)
UNMATCHED = and_(UNTAKEN, or_(Instance.id.is_(None), Instance.ended_at.is_not(None), _AWAITED, _PASSED))
"""Messages that a person has to look at: no order, an order that has ended, one that waits and did not take it, or one
that took such a message before and asks for no other.

For statements that join `Instance` by `ORDER_OF`, and stand on their own transaction: while a command runs, an order
may wait for a message and just not have taken it yet.
"""
ORDER_OF = Instance.business_key == Message.correlation
_IS = {
    "unmatched": UNMATCHED,
    "waiting": and_(UNTAKEN, Instance.id.is_not(None), Instance.ended_at.is_(None), ~_AWAITED, ~_PASSED),
    "taken": Message.consumed_at.is_not(None),
    "set_aside": Message.set_aside_at.is_not(None),
}


class Messages(Reads):
    """Lists messages, sets them aside and puts them back."""

    def messages(
        self, *, state: MessageState | None = None, order: str | None = None, limit: int = 50,
        before: int | None = None, unless: ColumnElement[bool] | None = None,
    ) -> Page[MessageView]:
        """Messages, the newest first; `before` is the id to go on after, `next` of the page before.

        `state`: `waiting` for an open order that does not ask for them now, `unmatched` (see `MessageView.why`),
        `taken` by an order, or `set_aside` by a person. `unless` leaves out what the caller knows to be nobody's
        matter, as a condition on `Message`.
        """
        conditions: list[ColumnElement[bool]] = []
        if state is not None:
            conditions.append(_IS[state])
        if order is not None:
            conditions.append(Message.correlation == order)
        if before is not None:
            conditions.append(Message.id < before)
        if unless is not None:
            conditions.append(~unless)
        limit = max(1, min(limit, 1000))
        statement = _select().where(*conditions).order_by(Message.id.desc()).limit(limit + 1)
        with self.reading() as session:
            found = session.execute(statement).all()
        following = str(found[limit - 1].Message.id) if len(found) > limit else None
        return Page(tuple(_view(row) for row in found[:limit]), following)

    def message(self, id_: int) -> MessageView:
        """One message. NotFound."""
        with self.reading() as session:
            return _one(session, Message.id == id_)

    def message_of(self, source: str, message_id: str) -> MessageView:
        """The message that this sender sent under this id. NotFound."""
        with self.reading() as session:
            return _one(session, and_(Message.source == source, Message.message_id == message_id))

    def overlooked(self) -> list[MessageView]:
        """Messages that an open order waits for and would take, and did not: there must never be one.

        Except while its incident waits for a person: then taking it failed.
        """
        with self.reading() as session:
            found = session.execute(_select().where(UNTAKEN, Instance.ended_at.is_(None), _AWAITED)).all()
            return [view for row in found if (view := _view(row)).why == "not_accepted" and self._takes(session, view)]

    def _takes(self, session: Session, message: MessageView) -> bool:
        unit = Unit.lock(self, session, Actor("waybill", sees_all=True), key=message.order, reading=True)
        return any(
            catch.name == message.name and unit.run.accepts(catch, message.payload) for catch in unit.run.waiting()
        )

    # --- what people do -----------------------------------------------------------------------------------------------

    def set_aside(self, id_: int, actor: Actor, reason: str) -> MessageView:
        """Lets no order take a message any more, because a person has dealt with it.

        NotFound, InvalidForm without a reason, Conflict when it was taken or set aside already.
        """
        forms.check_values(reason, at="/reason")
        reason = reason.strip()
        if not 0 < len(reason) <= LONGEST_REASON:
            raise InvalidForm([FieldError("/reason", f"Say why, in at most {LONGEST_REASON} characters.")])
        with self.transaction() as tx:
            row, unit = self._hold_message(tx, id_, actor)
            if row.consumed_at is not None:
                raise Conflict("An order has taken this message meanwhile.")
            if row.set_aside_at is not None:
                raise Conflict(f"{row.set_aside_by} has set this message aside already.", row.set_aside_by)
            row.set_aside_at, row.set_aside_by, row.set_aside_reason = self.clock.now(), actor.name, reason
            if unit is not None:
                unit.event("set_aside", message=row.name, id=row.message_id, source=row.source, reason=reason)
                unit.save()
        return self.message(id_)

    def put_back(self, id_: int, actor: Actor) -> MessageView:
        """Undoes `set_aside`: the message waits again, and is taken at once when its order waits for it.

        NotFound, Conflict when it is not set aside.
        """
        try:
            self.command(lambda tx: self._put_back(tx, id_, actor, failed=None))
        except (NotFound, Conflict, DatabaseTrouble):
            raise
        except Exception as error:  # noqa: BLE001 - as when it is delivered: taking it failed, it is kept
            why = sentence(error)
            with self.transaction() as tx:
                self._put_back(tx, id_, actor, failed=why)
        return self.message(id_)

    def _put_back(self, tx: Session, id_: int, actor: Actor, *, failed: str | None) -> None:
        row, unit = self._hold_message(tx, id_, actor)
        if row.set_aside_at is None:
            raise Conflict("This message is not set aside (any more).")
        row.set_aside_at = row.set_aside_by = row.set_aside_reason = None
        tx.flush()
        if unit is None:
            return
        unit.event("put_back", message=row.name, id=row.message_id, source=row.source)
        if failed is not None:
            self._not_taken(unit, row.name, failed)
        elif f" {row.name} " in unit.row.awaits:
            unit.advance()
        unit.save()

    def _hold_message(self, tx: Session, id_: int, actor: Actor) -> tuple[Message, Unit | None]:
        """Locks a message, and before it the instance it is about when there is one. NotFound."""
        key = tx.execute(select(Message.correlation).where(Message.id == id_)).scalar_one_or_none()
        if key is None:
            raise NotFound("There is no such message.")
        try:
            unit = Unit.lock(self, tx, actor, key=key)
        except NotFound:
            hold_key(tx, key)  # an order of this number may be starting just now
            unit = None
        row = tx.scalars(
            select(Message).where(Message.id == id_).with_for_update().execution_options(populate_existing=True)
        ).one()
        return row, unit


def _select() -> Select[Any]:
    """Messages with what is asked of their orders; one statement."""
    failed = (
        select(Job.id)
        .where(Job.instance_id == Instance.id, Job.state.in_(("ready", "leased", "dead")), Job.kind == "message")
        .exists()
    )
    why = case(
        (Message.consumed_at.is_not(None), None),
        (Message.set_aside_at.is_not(None), None),
        (Instance.id.is_(None), "no_order"),
        (Instance.ended_at.is_not(None), "ended"),
        (and_(_AWAITED, failed), "failed"),
        (_AWAITED, "not_accepted"),
        (_PASSED, "passed"),
        else_=literal("early"),
    )
    return select(
        Message, Instance.status.label("order_status"), Instance.ended_at.label("order_ended_at"), why.label("why")
    ).outerjoin(Instance, ORDER_OF)


def count_unmatched(unless: ColumnElement[bool]) -> Select[tuple[int]]:
    """How many messages a person has to look at, besides those that fulfil `unless`: a statement of its own or a part
    of another. Reads the index of untaken messages, and the instance of each by its key."""
    return select(func.count()).select_from(Message).outerjoin(Instance, ORDER_OF).where(UNMATCHED, ~unless)


def _one(session: Session, condition: ColumnElement[bool]) -> MessageView:
    found = session.execute(_select().where(condition)).one_or_none()
    if found is None:
        raise NotFound("There is no such message.")
    return _view(found)


def _view(found: Row[Any]) -> MessageView:
    row: Message = found.Message
    payload = unpack(row.payload)
    if not isinstance(payload, dict):
        raise EngineError(f"Message {row.id} does not hold an object.")
    aside = None
    if row.set_aside_at is not None:
        aside = SetAside(row.set_aside_at, row.set_aside_by or "", row.set_aside_reason or "")
    return MessageView(
        id=row.id, message_id=row.message_id, source=row.source, name=row.name, order=row.correlation, payload=payload,
        received_at=row.received_at, state=_state(row, found.why), why=cast("MessageWhy | None", found.why),
        since=_since(row.received_at, found.order_ended_at if found.why == "ended" else None),
        order_status=found.order_status, taken_at=row.consumed_at, taken_by=row.consumed_by, set_aside=aside,
    )


def _state(row: Message, why: str | None) -> MessageState:
    if row.consumed_at is not None:
        return "taken"
    if row.set_aside_at is not None:
        return "set_aside"
    return "waiting" if why == "early" else "unmatched"


def _since(received: datetime, ended: datetime | None) -> datetime:
    return received if ended is None else max(received, ended)
