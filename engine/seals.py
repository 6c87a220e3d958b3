"""Seals: the heads of all histories at one moment, chained by hash.

A history by itself shows every change but two: that it is gone with its order, and that its end was cut off or written
anew together with what the order says of it. A seal that was made before shows both; one that is kept elsewhere shows
it even when somebody has written every seal in the database anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
import zstandard
from sqlalchemy import bindparam, insert, or_, select, update
from sqlalchemy.exc import DataError, IntegrityError, OperationalError
from sqlalchemy.orm import Session

from engine.audit import stamp
from engine.base import EngineBase
from engine.codec import pack, unpack
from engine.errors import Conflict
from engine.journal import CHAIN, journal_end
from engine.offline_verifier import GENESIS, leaf, seal_hash, tree_root
from engine.store.tables import Instance, Seal, Sealed

EVERY = timedelta(days=1)
_ATTEMPTS = 5
_UNREADABLE = (ValueError, TypeError, AttributeError, zstandard.ZstdError, DataError, OperationalError)
StoredSeal = dict[str, Any]
"""A seal as it is exported: number, at, root, previous, hash, heads; one that cannot be read has only its number."""


@dataclass(frozen=True, slots=True)
class SealView:
    """A seal as it is written down elsewhere."""

    number: int
    at: datetime
    hash: str

    def __str__(self) -> str:
        return f"{self.number}  {stamp(self.at)}  {self.hash}"


class Seals(EngineBase):
    """Makes seals and lists them."""

    def seal(self) -> SealView:
        """Makes a seal now. Conflict when other processes are always faster."""
        for _ in range(_ATTEMPTS):
            made = self._seal()
            if made is not None:
                return made
        raise Conflict("Other processes are making seals at this moment. Try again.")

    def seal_if_due(self) -> SealView | None:
        """Makes a seal when the last one is a day away, by the engine's clock; None when not, or another was faster.

        A day away either way: a clock that was set back must not keep the next seal waiting.
        """
        return self._seal(only_if_due=True)

    def last_seal(self) -> SealView | None:
        """The newest seal."""
        with self.reading() as session:
            row = _last(session)
            return SealView(*row) if row is not None else None

    def seals(self) -> list[SealView]:
        """Every seal, the oldest first."""
        with self.reading() as session:
            return [SealView(*row) for row in session.execute(
                select(Seal.number, Seal.at, Seal.hash).order_by(Seal.number)
            )]

    def _seal(self, *, only_if_due: bool = False) -> SealView | None:
        """One seal over what changed; None when another process made this number meanwhile, or when none is due.

        Read first, without a lock: a head that was the head once stays in its history for good, so that commands
        need not wait while all orders are looked through.
        """
        with self.database.snapshot() as session:
            last = _last(session)
            if only_if_due and last is not None and abs(self.clock.now() - last.at) < EVERY:
                return None
            rows = _changed(session)
            journal = journal_end(session)
        heads = sorted([row.id, row.business_key, row.seq, row.head] for row in rows)
        if journal is not None:
            heads.append([CHAIN, CHAIN, *journal])
        number, previous = (last.number + 1, last.hash) if last else (1, GENESIS)
        at, root = self.clock.now(), tree_root([leaf(head) for head in heads])
        own = seal_hash(number, stamp(at), root, previous)
        known = [{"instance": row.id, "seq": row.seq, "number": number} for row in rows if row.known is not None]
        new = [{"instance_id": row.id, "seq": row.seq, "number": number} for row in rows if row.known is None]
        try:
            with self.transaction() as tx:
                tx.execute(insert(Seal).values(number=number, at=at, heads=pack(heads), root=root, previous=previous,
                                               hash=own))
                if new:
                    tx.execute(insert(Sealed), new)
                if known:
                    tx.connection().execute(
                        update(Sealed.__table__).where(Sealed.instance_id == bindparam("instance"))  # type: ignore[arg-type]
                        .values(seq=bindparam("seq"), number=bindparam("number")), known,
                    )
        except IntegrityError:
            return None
        return SealView(number, at, own)


def _last(session: Session) -> Any:
    statement = select(Seal.number, Seal.at, Seal.hash).order_by(Seal.number.desc()).limit(1)
    return session.execute(statement).one_or_none()


def _changed(session: Session) -> list[Any]:
    """The heads that no seal holds yet."""
    return list(session.execute(
        select(Instance.id, Instance.business_key, Instance.seq, Instance.head, Sealed.seq.label("known"))
        .outerjoin(Sealed, Sealed.instance_id == Instance.id)
        .where(or_(Sealed.seq.is_(None), Sealed.seq != Instance.seq))
    ))


def stored_seals(session: Session) -> Iterator[StoredSeal]:
    """Every seal as it stands, one at a time: the heads of all of them may be more than memory holds."""
    columns = (Seal.number, Seal.at, Seal.heads, Seal.root, Seal.previous, Seal.hash)
    for number in list(session.scalars(select(Seal.number).order_by(Seal.number))):
        try:
            yield _as_sealed({**session.execute(select(*columns).where(Seal.number == number)).mappings().one()})
        except _UNREADABLE:
            yield {"number": number}


def _as_sealed(row: Mapping[str, Any]) -> StoredSeal:
    heads = unpack(row["heads"])
    for instance, key, seq, head in heads:
        if [type(each) for each in (instance, key, seq, head)] != [str, str, int, str]:
            raise ValueError("not a head")
    seal = {**row, "at": stamp(row["at"]), "heads": heads}
    orjson.dumps(seal)
    return seal
