"""The embedded counterparty's own books, in an SQLite file of its own. Waybill's database never sees them.

Threads and processes may use one file together: each piece of work is one short write transaction on a connection of
its own, on disk when it ends.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from handlers.contract import Clock, GiveUp, TryAgain, seconds_left

_SCHEMA = """
CREATE TABLE IF NOT EXISTS request (
    key TEXT PRIMARY KEY, body TEXT NOT NULL, answer TEXT NOT NULL, at TEXT
);
CREATE TABLE IF NOT EXISTS movement (
    id INTEGER PRIMARY KEY AUTOINCREMENT, reference TEXT UNIQUE, kind TEXT NOT NULL, order_number TEXT NOT NULL,
    method TEXT NOT NULL, amount INTEGER NOT NULL CHECK (amount > 0), currency TEXT NOT NULL, of TEXT, token TEXT,
    at TEXT NOT NULL, key TEXT
);
CREATE INDEX IF NOT EXISTS movement_of ON movement (of, kind);
CREATE TABLE IF NOT EXISTS happened (what TEXT PRIMARY KEY);
"""

_LATER = (
    ("request", "at", "UPDATE request SET at = :now"),
    ("movement", "key", "UPDATE movement SET key = (SELECT min(request.key) FROM request"
                        " WHERE json_extract(request.answer, '$.reference') = movement.reference)"),
)  # fmt: skip
"""Columns that older files lack, and what stands in them for what is there: the keys begin to age now."""

_PREFIX = {"authorise": "AUT", "capture": "CAP", "void": "VOI", "refund": "REF", "transfer": "TRF"}
_COLUMNS = "reference, kind, order_number, method, amount, currency, of, token, at"
_FIELDS = ("reference", "kind", "order", "method", "amount", "currency", "of", "token", "at")


@dataclass(frozen=True, slots=True)
class Movement:
    """One entry of the books."""

    reference: str
    kind: str
    """authorise, capture, void, refund, transfer (money that a customer sent to the bank account)."""
    order: str
    method: str
    amount: int
    currency: str
    of: str | None
    """What it builds on: the authorisation of a capture or void, the capture or transfer of a refund."""
    token: str | None
    at: datetime


class Book:
    """The books inside one transaction."""

    def __init__(self, connection: sqlite3.Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    def answer(self, key: str, *, window: timedelta | None = None) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Body and answer of an earlier request with this key, if it is still remembered: `window` from its use."""
        row = self._connection.execute("SELECT body, answer, at FROM request WHERE key = ?", (key,)).fetchone()
        if row is None or (window is not None and self._clock.now() - datetime.fromisoformat(row[2]) >= window):
            return None
        return json.loads(row[0]), json.loads(row[1])

    def remember(self, key: str, body: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        self._connection.execute(
            "INSERT OR REPLACE INTO request (key, body, answer, at) VALUES (?, ?, ?, ?)",
            (key, json.dumps(body), json.dumps(answer), self._clock.now().isoformat()),
        )

    def add(
        self,
        kind: str,
        order: str,
        method: str,
        amount: int,
        currency: str,
        *,
        of: str | None = None,
        token: str | None = None,
        key: str | None = None,
    ) -> str:
        """Books a movement and returns its reference. `key`: what the customer of this provider calls it."""
        cursor = self._connection.execute(
            "INSERT INTO movement (kind, order_number, method, amount, currency, of, token, at, key)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (kind, order, method, amount, currency, of, token, self._clock.now().isoformat(), key),
        )
        reference = f"{_PREFIX[kind]}-{cursor.lastrowid:08d}"
        self._connection.execute("UPDATE movement SET reference = ? WHERE id = ?", (reference, cursor.lastrowid))
        return reference

    def find(self, reference: str) -> Movement | None:
        row = self._connection.execute(
            f"SELECT {_COLUMNS} FROM movement WHERE reference = ?",  # noqa: S608 - a constant
            (reference,),
        ).fetchone()
        return _movement(row) if row else None

    def under(self, key: str) -> Movement | None:
        """The movement that was booked under a key, at any age; of several the first."""
        row = self._connection.execute(
            f"SELECT {_COLUMNS} FROM movement WHERE key = ? ORDER BY id LIMIT 1",  # noqa: S608 - a constant
            (key,),
        ).fetchone()
        return _movement(row) if row else None

    def of(self, reference: str, kind: str) -> list[Movement]:
        """What of this kind was built on a movement."""
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM movement WHERE of = ? AND kind = ? ORDER BY id",  # noqa: S608 - a constant
            (reference, kind),
        )
        return [_movement(row) for row in rows]

    def first_time(self, what: str) -> bool:
        """True once for each `what`, for ever."""
        return self._connection.execute("INSERT OR IGNORE INTO happened VALUES (?)", (what,)).rowcount == 1

    def all(self) -> list[Movement]:
        rows = self._connection.execute(f"SELECT {_COLUMNS} FROM movement ORDER BY id")  # noqa: S608 - a constant
        return [_movement(row) for row in rows]


def _movement(row: tuple[Any, ...]) -> Movement:
    values = dict(zip(_FIELDS, row, strict=True))
    return Movement(**{**values, "at": datetime.fromisoformat(values["at"])})


class Ledger:
    """The books' file. Made when it is not there."""

    def __init__(self, path: Path, clock: Clock, *, patience: float = 10.0) -> None:
        """`patience`: seconds to wait for another writer before giving up."""
        self._path = path
        self._clock = clock
        self._patience = patience
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._connect() as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(_SCHEMA)
            self._add_columns(connection)

    def _add_columns(self, connection: sqlite3.Connection) -> None:
        """Brings a file that an earlier version made up to date."""
        connection.execute("BEGIN IMMEDIATE")
        for table, column, fill in _LATER:
            if column not in {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}:
                connection.execute(f"ALTER TABLE {table} ADD COLUMN {column} TEXT")
                connection.execute(fill, {"now": self._clock.now().isoformat()} if ":now" in fill else ())
        connection.execute("CREATE INDEX IF NOT EXISTS movement_key ON movement (key)")
        connection.execute("COMMIT")

    @contextmanager
    def writing(self) -> Iterator[Book]:
        """One transaction; nothing of it stays when it raises. `TryAgain` when the file is busy for too long."""
        with self._connect() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield Book(connection, self._clock)
            except BaseException:
                if connection.in_transaction:  # a full disk has rolled it back by itself
                    connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    @contextmanager
    def reading(self) -> Iterator[Book]:
        with self._connect() as connection:
            yield Book(connection, self._clock)

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        patience = min(self._patience, seconds_left())
        try:
            with closing(sqlite3.connect(self._path, timeout=patience, isolation_level=None)) as connection:
                connection.execute("PRAGMA synchronous = FULL")
                yield connection
        except sqlite3.OperationalError as error:
            raise TryAgain(f"The payment provider does not answer: {error}.") from error
        except sqlite3.DatabaseError as error:
            if type(error) is not sqlite3.DatabaseError:  # a statement's fault, not the file's
                raise
            raise GiveUp(f"The payment provider's books, {self._path}, are damaged: {error}.") from error
