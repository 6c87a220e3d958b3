"""Checks the histories and the seals of an installation, and writes them out for a check elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from engine.audit import stamp, stored_events
from engine.errors import NotFound
from engine.journal import CHAIN, readable_end, stored_entries
from engine.offline_verifier import (
    FORMAT,
    GENESIS,
    VERSION,
    canonical,
    chain_faults,
    heads_fault,
    is_whole,
    leaf,
    seal_fault,
    sealed_fault,
    tree_levels,
)
from engine.seals import Seals, StoredSeal, stored_seals
from engine.store.tables import Event, Instance, JournalEntry, Sealed

PAGE = 500
"""How many orders, or heads of a seal, are looked up at once."""
Report = Callable[[int, int], None]
"""Told how many orders are checked, and of how many."""


class Auditing(Seals):
    """What an auditor asks for."""

    def verify_audit(
        self, business_key: str | None = None, *, seal: str | None = None, report: Report | None = None
    ) -> list[str]:
        """Checks the histories and seals of one order or of all; returns what is wrong, a line each.

        With the hash of a `seal` that was written down elsewhere, that seal must be among them. NotFound.
        """
        with self.database.snapshot() as session:
            seals = _SealCheck(session, business_key)
            found = list(seals.faults())
            if seal is not None and seal not in seals.hashes:
                found.append(f"No seal has the hash {seal}: the seals were removed or written anew since it was "
                             "written down.")
            orders = session.scalars(select(func.count()).select_from(Instance)).one() if business_key is None else 1
            checked = 0
            for checked, row in enumerate(_instances(session, business_key), start=1):
                found.extend(_faults(session, row))
                if report is not None:
                    report(checked, orders)
            if business_key is None:
                found.extend(_journal_faults(session))
                found.extend(_orphans(session))
            elif not checked and not seals.held:
                raise NotFound(f"There is no order {business_key}.")
        return found

    def export_audit(self, business_key: str | None = None) -> Iterator[bytes]:
        """The lines of an export of one order or of all (docs/audit.md), as of one moment. NotFound."""
        with self.database.snapshot() as session:
            one = None
            if business_key is not None:
                one = session.scalars(select(Instance.id).where(Instance.business_key == business_key)).one_or_none()
                if one is None:
                    raise NotFound(f"There is no order {business_key}.")
            yield _line("header", format=FORMAT, version=VERSION, made_at=stamp(self.clock.now()), order=business_key)
            counts = {"seals": 0, "instances": 0, "events": 0}
            for seal in stored_seals(session):
                counts["seals"] += 1
                yield _line("seal", **(seal if one is None or "heads" not in seal else _proved(seal, one)))
            if one is None:
                end = readable_end(session)
                if end is not None:
                    counts["instances"] += 1
                    yield _line("instance", id=CHAIN, business_key=CHAIN, seq=end[0], head=end[1])
                    for entry in stored_entries(session):
                        counts["events"] += 1
                        yield _line("event" if "hash" in entry else "unreadable", **entry)
            for row in _instances(session, business_key):
                counts["instances"] += 1
                yield _line("instance", id=row.id, business_key=row.business_key, seq=row.seq, head=row.head)
                for event in stored_events(session, row.id):
                    counts["events"] += 1
                    yield _line("event" if "hash" in event else "unreadable", **event)
            yield _line("end", **counts)


def _line(sort: str, **fields: Any) -> bytes:
    return canonical({"line": sort, **fields}) + b"\n"


def _proved(seal: StoredSeal, instance: str) -> StoredSeal:
    """A seal without the heads of other orders: the one head, and the hashes that lead from it to the root."""
    proof = None
    index = next((n for n, head in enumerate(seal["heads"]) if head[0] == instance), None)
    if index is not None:
        path, at = [], index
        for level in tree_levels([leaf(head) for head in seal["heads"]]):
            if at ^ 1 < len(level):
                path.append(level[at ^ 1].hex())
            at //= 2
        proof = {"index": index, "count": len(seal["heads"]), "head": seal["heads"][index], "path": path}
    return {name: value for name, value in seal.items() if name != "heads"} | {"proof": proof}


def _instances(session: Session, business_key: str | None) -> Iterator[Any]:
    """Number of events and head of one order or of all, by their keys, a page at a time."""
    columns = select(Instance.id, Instance.business_key, Instance.seq, Instance.head).order_by(Instance.business_key)
    if business_key is not None:
        yield from session.execute(columns.where(Instance.business_key == business_key))
        return
    rows = session.execute(columns.limit(PAGE)).all()
    while rows:
        yield from rows
        rows = session.execute(columns.where(Instance.business_key > rows[-1].business_key).limit(PAGE)).all()


def _faults(session: Session, row: Any) -> list[str]:
    if not isinstance(row.seq, int) or not isinstance(row.head, str):  # SQLite keeps anything in any column
        return [f"{row.business_key}: what the order says of its history's end cannot be read; its row was changed."]
    return chain_faults(row.business_key, row.id, stored_events(session, row.id), row.seq, row.head)


def _journal_faults(session: Session) -> list[str]:
    """What is wrong with the journal. Where it ends no row says but the seals.

    A whole one is read a page at a time, however long; only one that is not is read at once, to find the row to blame.
    """
    end = readable_end(session)
    if end is None or is_whole(CHAIN, stored_entries(session), *end):
        return []
    return chain_faults(CHAIN, CHAIN, list(stored_entries(session)), *end)


def _orphans(session: Session) -> Iterator[str]:
    """Events of orders that are not there."""
    for instance, first, last in session.execute(
        select(Event.instance_id, func.min(Event.seq), func.max(Event.seq))
        .outerjoin(Instance, Instance.id == Event.instance_id).where(Instance.id.is_(None))
        .group_by(Event.instance_id)
    ):
        yield (f"instance {instance}: events {first} to {last}: the order they belong to is missing; its row was "
               "removed, or these were inserted.")


class _SealCheck:
    """Checks the chain of seals, and the histories against what the seals hold of them."""

    def __init__(self, session: Session, business_key: str | None) -> None:
        self._session, self._key = session, business_key
        self.hashes: set[str] = set()
        self.held = False
        """Whether a seal holds the one order that was asked for."""

    def faults(self) -> Iterator[str]:
        number, previous = 0, GENESIS
        for seal in stored_seals(self._session):
            if "hash" not in seal:
                yield f"seal {seal['number']}: cannot be read; the row was changed."
                number, previous = seal["number"], ""
                continue
            fault = seal_fault(seal, number + 1, previous) if previous else None
            fault = fault or heads_fault(seal, [leaf(head) for head in seal["heads"]])
            if fault:
                yield fault
            yield from self._against_histories(seal)
            self.hashes.add(seal["hash"])
            number, previous = seal["number"], seal["hash"]
        newest = self._session.scalars(select(func.max(Sealed.number))).one()
        if newest is not None and newest > number:
            yield f"seal {newest}: is missing; the row was removed."

    def _against_histories(self, seal: StoredSeal) -> Iterator[str]:
        heads = seal["heads"]
        if self._key is None:
            yield from self._left_out(seal)
        else:
            heads = [head for head in heads if head[1] == self._key]
            self.held = self.held or bool(heads)
        for start in range(0, len(heads), PAGE):
            part = heads[start:start + PAGE]
            names, hashes = self._names(part), self._hashes(part)
            for head in part:
                fault = sealed_fault(seal["number"], seal["at"], head, names.get(head[0]),
                                     hashes.get((head[0], head[2])))
                if fault:
                    yield fault

    def _left_out(self, seal: StoredSeal) -> Iterator[str]:
        """Histories that are marked as sealed and are not: the mark keeps them out of every later seal."""
        held = {(head[0], head[2]) for head in seal["heads"]}
        for instance, seq in self._session.execute(
            select(Sealed.instance_id, Sealed.seq).where(Sealed.number == seal["number"])
        ):
            if (instance, seq) not in held:
                yield f"instance {instance}: is marked as sealed by seal {seal['number']}, which does not hold it."

    def _names(self, heads: Sequence[Sequence[Any]]) -> dict[str, str]:
        statement = select(Instance.id, Instance.business_key).where(Instance.id.in_([head[0] for head in heads]))
        return {CHAIN: CHAIN} | {row.id: row.business_key for row in self._session.execute(statement)}

    def _hashes(self, heads: Sequence[Sequence[Any]]) -> dict[tuple[str, int], str]:
        wanted = [(head[0], head[2]) for head in heads]
        statement = select(Event.instance_id, Event.seq, Event.hash).where(
            tuple_(Event.instance_id, Event.seq).in_(wanted)
        )
        found = {(row.instance_id, row.seq): row.hash for row in self._session.execute(statement)}
        lines = [seq for instance, seq in wanted if instance == CHAIN]
        if lines:
            of_journal = select(JournalEntry.seq, JournalEntry.hash).where(JournalEntry.seq.in_(lines))
            found |= {(CHAIN, row.seq): row.hash for row in self._session.execute(of_journal)}
        return found
