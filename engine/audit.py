"""The history of an instance as a chain of hashes: no row can be changed, removed, inserted or moved unseen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Row, select
from sqlalchemy.exc import DataError, OperationalError
from sqlalchemy.orm import Session

from engine.codec import canonical, digest
from engine.offline_verifier import GENESIS
from engine.offline_verifier import Event as StoredEvent
from engine.store.tables import Event
from engine.views import EventView

__all__ = ["GENESIS", "UNREADABLE", "StoredEvent", "as_hashed", "body", "chain_hash", "event_view", "events_of",
           "stamp", "stored_events"]
_COLUMNS = (Event.seq, Event.at, Event.actor, Event.kind, Event.process, Event.element, Event.name, Event.step,
            Event.body, Event.previous, Event.hash)
UNREADABLE = (ValueError, TypeError, DataError, OperationalError)
"""What a driver says of a value that is none of its column's."""


def stamp(at: datetime) -> str:
    """A time as it enters the hash: UTC, microseconds, the same from every database."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def chain_hash(instance_id: str, row: Mapping[str, Any]) -> str:
    """The hash of one event: everything a reader sees of it, and the hash of the one before."""
    body = row["body"].decode() if isinstance(row["body"], bytes) else row["body"]
    return digest(
        [instance_id, row["seq"], stamp(row["at"]), row["actor"], row["kind"], row["process"], row["element"],
         row["name"], row["step"], body, row["previous"]]
    )


def body(detail: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]) -> bytes:
    return canonical({"detail": detail, "before": before, "after": after})


def event_view(event: Event | Row[Any]) -> EventView:
    parts = orjson.loads(event.body)
    return EventView(
        seq=event.seq, at=event.at, actor=event.actor, kind=event.kind, step=event.step, element=event.element,
        name=event.name, process=event.process, detail=parts["detail"], before=parts["before"], after=parts["after"],
        previous=event.previous, hash=event.hash,
    )


def events_of(session: Session, instance_id: str) -> Sequence[Row[Any]]:
    """The rows of a history in order, as `event_view` reads them."""
    return session.execute(select(*_COLUMNS).where(Event.instance_id == instance_id).order_by(Event.seq)).all()


def stored_events(session: Session, instance_id: str) -> list[StoredEvent]:
    """The events of an instance by number, each as it was hashed.

    One whose columns hold what no program of ours writes is only its number: whoever looks for faults names it.
    """
    mine = Event.instance_id == instance_id
    statement = select(*_COLUMNS).where(mine).order_by(Event.seq)
    try:
        return [as_hashed({**row}) for row in session.execute(statement).mappings()]
    except UNREADABLE:
        numbers = list(session.scalars(select(Event.seq).where(mine).order_by(Event.seq)))
        return [_one(session, mine, seq) for seq in numbers]


def _one(session: Session, mine: ColumnElement[bool], seq: int) -> StoredEvent:
    try:
        return as_hashed({**session.execute(select(*_COLUMNS).where(mine, Event.seq == seq)).mappings().one()})
    except UNREADABLE:
        return {"seq": seq}


def as_hashed(row: Mapping[str, Any]) -> StoredEvent:
    """A row as it was hashed; only its number when it holds what cannot be hashed."""
    try:
        text = row["body"].decode() if isinstance(row["body"], bytes) else row["body"]
        event = {**row, "at": stamp(row["at"]), "body": text}
        canonical(event)  # text that is none (SQLite keeps anything in any column) cannot be exported
    except (ValueError, TypeError, AttributeError):
        return {"seq": row["seq"]}
    return event
