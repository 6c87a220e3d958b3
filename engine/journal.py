"""The journal of the house: what is no order's history, such as who was given which right, as one chain of hashes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import audit
from engine.base import EngineBase
from engine.store.once import hold_key
from engine.store.tables import JournalEntry
from engine.views import Page

_COLUMNS = (JournalEntry.seq, JournalEntry.at, JournalEntry.actor, JournalEntry.kind, JournalEntry.subject,
            JournalEntry.body, JournalEntry.previous, JournalEntry.hash)
CHAIN = "journal"
"""Stands in the hash of an entry where an order's event has its instance and its process."""
PAGE = 500
"""How many lines are read at once when the whole journal is."""


@dataclass(frozen=True, slots=True)
class JournalView:
    """One line of the journal."""

    seq: int
    at: datetime
    actor: str
    kind: str
    subject: str
    """Whom or what it is about: a user name, a team, a process."""
    detail: Mapping[str, Any]
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    hash: str


class Journal(EngineBase):
    """Writes and reads the journal."""

    def note_in_journal(
        self, session: Session, actor: str, kind: str, subject: str, *, before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None, **detail: Any,
    ) -> None:
        """Adds a line, in the transaction of what it tells of: neither is there without the other. No secrets in it.

        The journal is locked last: write to it when everything else of the transaction is locked and changed. An order,
        a task or a person that is locked after it may wait for somebody who has that and waits for the journal.
        """
        session.flush()  # what is changed and not sent yet is locked before the journal too
        hold_key(session, CHAIN)  # one writer at a time: each line follows the one before
        seq, previous = journal_end(session) or (0, audit.GENESIS)
        entry = JournalEntry(
            seq=seq + 1, at=self.clock.now(), actor=actor, kind=kind, subject=subject,
            body=audit.body(detail, before or {}, after or {}), previous=previous,
        )
        entry.hash = audit.chain_hash(CHAIN, as_event(entry))
        session.add(entry)
        session.flush()

    def journal(
        self, *, subject: str | None = None, actor: str | None = None, limit: int = 50, before: int | None = None
    ) -> Page[JournalView]:
        """Lines of the journal, newest first; `before` is the `next` of the page before."""
        statement = select(JournalEntry).order_by(JournalEntry.seq.desc())
        if subject is not None:
            statement = statement.where(JournalEntry.subject == subject)
        if actor is not None:
            statement = statement.where(JournalEntry.actor == actor)
        if before is not None:
            statement = statement.where(JournalEntry.seq < before)
        limit = max(1, min(limit, 500))
        with self.reading() as session:
            rows = list(session.scalars(statement.limit(limit + 1)))
        following = str(rows[limit - 1].seq) if len(rows) > limit else None
        return Page(tuple(_view(row) for row in rows[:limit]), following)


def journal_end(session: Session) -> tuple[int, str] | None:
    """Number and hash of the last line; None while there is none."""
    statement = select(JournalEntry.seq, JournalEntry.hash).order_by(JournalEntry.seq.desc()).limit(1)
    last = session.execute(statement).one_or_none()
    return (last.seq, last.hash) if last is not None else None


def stored_entries(session: Session) -> Iterator[audit.StoredEvent]:
    """Every line by number, a page at a time, each as it was hashed; one whose columns hold what no program of ours
    writes is only its number."""
    numbers = select(JournalEntry.seq).order_by(JournalEntry.seq)
    page = list(session.scalars(numbers.limit(PAGE)))
    while page:
        yield from _page(session, page)
        page = list(session.scalars(numbers.where(JournalEntry.seq > page[-1]).limit(PAGE)))


def readable_end(session: Session) -> tuple[int, str] | None:
    """Number and hash of the last line that can be read; None when the journal is empty."""
    numbers = select(JournalEntry.seq).order_by(JournalEntry.seq.desc()).limit(1)
    seq = session.scalar(numbers)
    if seq is None:
        return None
    while seq is not None:
        entry = _one(session, seq)
        if "hash" in entry:
            return seq, entry["hash"]
        seq = session.scalar(numbers.where(JournalEntry.seq < seq))
    return 0, audit.GENESIS


def _page(session: Session, numbers: Sequence[int]) -> list[audit.StoredEvent]:
    statement = select(*_COLUMNS).where(JournalEntry.seq.between(numbers[0], numbers[-1])).order_by(JournalEntry.seq)
    try:
        return [audit.as_hashed(_fields({**row})) for row in session.execute(statement).mappings()]
    except audit.UNREADABLE:
        return [_one(session, seq) for seq in numbers]


def _one(session: Session, seq: int) -> audit.StoredEvent:
    try:
        row = session.execute(select(*_COLUMNS).where(JournalEntry.seq == seq)).mappings().one()
        return audit.as_hashed(_fields({**row}))
    except audit.UNREADABLE:
        return {"seq": seq}


def _fields(row: dict[str, Any]) -> dict[str, Any]:
    return {**{name: value for name, value in row.items() if name != "subject"}, "process": CHAIN,
            "element": row["subject"], "name": None, "step": None}


def as_event(entry: JournalEntry) -> dict[str, Any]:
    """An entry with the fields of an event, so that the same functions hash and check both kinds of chain."""
    return {
        "seq": entry.seq, "at": entry.at, "actor": entry.actor, "kind": entry.kind, "process": CHAIN,
        "element": entry.subject, "name": None, "step": None, "body": entry.body, "previous": entry.previous,
        "hash": entry.hash,
    }


def _view(entry: JournalEntry) -> JournalView:
    parts = orjson.loads(entry.body)
    return JournalView(entry.seq, entry.at, entry.actor, entry.kind, entry.subject, parts["detail"], parts["before"],
                       parts["after"], entry.hash)
