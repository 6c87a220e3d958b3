"""The history of an instance as a chain of hashes: no row can be changed, removed, inserted or moved unseen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.codec import canonical, digest
from engine.store.tables import Event, Instance
from engine.views import EventView

GENESIS = "0" * 64
"""The previous hash of the first event."""


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


def event_view(event: Event) -> EventView:
    parts = orjson.loads(event.body)
    return EventView(
        seq=event.seq, at=event.at, actor=event.actor, kind=event.kind, step=event.step, element=event.element,
        name=event.name, process=event.process, detail=parts["detail"], before=parts["before"], after=parts["after"],
        previous=event.previous, hash=event.hash,
    )


def events_of(session: Session, instance_id: str) -> list[Event]:
    return list(session.scalars(select(Event).where(Event.instance_id == instance_id).order_by(Event.seq)))


def faults(session: Session, instance: Instance) -> Iterator[str]:
    """What is wrong with the chain of one instance, a line each."""
    previous, expected = GENESIS, 1
    for seq, event in _rows(session, instance.id):
        where = f"{instance.business_key}: event {seq}"
        if event is None:
            yield f"{where}: cannot be read; the row was changed."
            return
        if event.seq != expected:
            yield f"{where}: expected number {expected}; a row was removed, inserted or moved."
        if event.previous != previous:
            yield f"{where}: does not follow the event before it."
        row = {name: getattr(event, name) for name in
               ("seq", "at", "actor", "kind", "process", "element", "name", "step", "body", "previous")}
        if not _matches(instance.id, row, event.hash):
            yield f"{where}: its content does not match its hash; the row was changed."
        previous, expected = event.hash, event.seq + 1
    if (expected - 1, previous) != (instance.seq, instance.head):
        yield f"{instance.business_key}: the chain ends at {expected - 1}, the order says {instance.seq}."


def _rows(session: Session, instance_id: str) -> Iterator[tuple[int, Event | None]]:
    """The events of an instance by number; None for one whose columns hold what no program of ours writes."""
    try:
        readable = events_of(session, instance_id)
    except (ValueError, TypeError):
        yield from _one_by_one(session, instance_id)
    else:
        yield from ((event.seq, event) for event in readable)


def _one_by_one(session: Session, instance_id: str) -> Iterator[tuple[int, Event | None]]:
    mine = Event.instance_id == instance_id
    for seq in list(session.scalars(select(Event.seq).where(mine).order_by(Event.seq))):
        try:
            yield seq, session.scalars(select(Event).where(mine, Event.seq == seq)).one()
        except (ValueError, TypeError):
            yield seq, None


def _matches(instance_id: str, row: Mapping[str, Any], stored: str) -> bool:
    try:
        return chain_hash(instance_id, row) == stored
    except (ValueError, TypeError, AttributeError):
        return False  # what stands there now is not even text
