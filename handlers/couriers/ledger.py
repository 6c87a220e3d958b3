"""The embedded couriers' own books: a SQLite file that Waybill's database knows nothing of.

Every method is one transaction on a connection of its own, so threads and processes may share a file. Times are stored
as microseconds since 1970 in UTC.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from handlers.contract import GiveUp, TryAgain, seconds_left
from handlers.couriers.journeys import Happening, Webhook
from handlers.couriers.port import Booking, Package, Report

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS answer (
    courier TEXT NOT NULL, method TEXT NOT NULL, key TEXT NOT NULL,
    subject TEXT NOT NULL, refusal TEXT, reference TEXT, at INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (courier, method, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS booking (
    reference TEXT PRIMARY KEY, courier TEXT NOT NULL, order_number TEXT NOT NULL, tracking_number TEXT NOT NULL,
    shipping_method TEXT NOT NULL, recipient TEXT NOT NULL, expected_on TEXT NOT NULL, packages TEXT NOT NULL,
    proof INTEGER NOT NULL, booked_at INTEGER NOT NULL, cancelled_at INTEGER, key TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS booking_by_order ON booking (order_number);
CREATE TABLE IF NOT EXISTS happening (
    reference TEXT NOT NULL REFERENCES booking, position INTEGER NOT NULL, status TEXT NOT NULL, at INTEGER NOT NULL,
    place TEXT NOT NULL, note TEXT NOT NULL,
    courier TEXT NOT NULL, send_at INTEGER NOT NULL, copies INTEGER NOT NULL,
    PRIMARY KEY (reference, position)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS happening_to_send ON happening (courier, send_at) WHERE copies > 0;
"""
_LATER = (
    ("answer", "at", "INTEGER NOT NULL DEFAULT 0",
     "UPDATE answer SET at = coalesce((SELECT booked_at FROM booking WHERE booking.reference ="
     " coalesce(answer.reference, answer.subject)), 0)"),
    ("booking", "key", "TEXT NOT NULL DEFAULT ''",
     "UPDATE booking SET key = coalesce((SELECT min(answer.key) FROM answer WHERE answer.method = 'book'"
     " AND answer.courier = booking.courier AND answer.reference = booking.reference), '')"),
)  # fmt: skip
"""Columns that older files lack, and what stands in them for what is there."""
_BUSY_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a courier answered to a key."""

    subject: str
    """What was asked, so that a key used for something else is noticed."""
    refusal: str | None
    reference: str | None
    at: datetime
    """When the key was used."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One booking as the courier knows it."""

    reference: str
    courier: str
    order: str
    tracking_number: str
    shipping_method: str
    recipient: str
    expected_on: date
    packages: tuple[Package, ...]
    proof: bool
    booked_at: datetime
    cancelled_at: datetime | None
    key: str
    """What the shop calls it: the key it was booked under."""

    @property
    def booking(self) -> Booking:
        return Booking(self.reference, self.tracking_number, self.expected_on)


class Ledger:
    """The file. `path` is made with its folder when it is not there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._connect() as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(_SCHEMA)
            connection.execute("BEGIN IMMEDIATE")
            for table, column, kind, fill in _LATER:
                if column not in {row["name"] for row in connection.execute(f"PRAGMA table_info({table})")}:
                    connection.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")
                    connection.execute(fill)
            connection.execute("CREATE INDEX IF NOT EXISTS booking_by_key ON booking (courier, key)")
            connection.execute("COMMIT")

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        """A connection of its own. TryAgain when the file cannot be used now: busy for too long, its disk full. GiveUp
        when it is damaged.
        """
        patience = min(_BUSY_SECONDS, seconds_left())
        try:
            with closing(sqlite3.connect(self.path, timeout=patience, isolation_level=None)) as connection:
                connection.row_factory = sqlite3.Row
                connection.execute("PRAGMA synchronous = NORMAL")
                yield connection
        except sqlite3.OperationalError as error:
            raise TryAgain(f"The couriers do not answer: {error}.") from error
        except sqlite3.DatabaseError as error:
            if type(error) is not sqlite3.DatabaseError:  # a statement's fault, not the file's
                raise
            raise GiveUp(f"The couriers' books, {self.path}, are damaged: {error}.") from error

    @contextmanager
    def writing(self) -> Iterator[Books]:
        """One write transaction; other writers wait."""
        with self._connect() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield Books(connection)
            except BaseException:
                if connection.in_transaction:  # a full disk has rolled it back by itself
                    connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    @contextmanager
    def reading(self) -> Iterator[Books]:
        """A consistent view."""
        with self._connect() as connection:
            connection.execute("BEGIN")
            yield Books(connection)
            connection.execute("ROLLBACK")


class Books:
    """The ledger's rows inside one transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection.execute

    # --- answers by key ---

    def answer(self, courier: str, method: str, key: str) -> Answer | None:
        row = self._sql(
            "SELECT subject, refusal, reference, at FROM answer WHERE courier = ? AND method = ? AND key = ?",
            (courier, method, key),
        ).fetchone()
        return None if row is None else Answer(row["subject"], row["refusal"], row["reference"], _to_time(row["at"]))

    def keep_answer(self, courier: str, method: str, key: str, answer: Answer) -> None:
        self._sql(
            "INSERT OR REPLACE INTO answer (courier, method, key, subject, refusal, reference, at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (courier, method, key, answer.subject, answer.refusal, answer.reference, _to_number(answer.at)),
        )

    # --- bookings ---

    def add(self, entry: Entry, happenings: Sequence[Happening], *, copies: int) -> None:
        """Writes a booking and what will happen to it; each webhook is sent `copies` times."""
        packages = json.dumps([[p.sscc, p.weight_g, p.length_cm, p.width_cm, p.height_cm] for p in entry.packages])
        self._sql(
            "INSERT INTO booking (reference, courier, order_number, tracking_number, shipping_method, recipient, "
            "expected_on, packages, proof, booked_at, key) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (entry.reference, entry.courier, entry.order, entry.tracking_number, entry.shipping_method,
             entry.recipient, entry.expected_on.isoformat(), packages, entry.proof, _to_number(entry.booked_at),
             entry.key),
        )  # fmt: skip
        for position, happening in enumerate(happenings):
            self._sql(
                "INSERT INTO happening VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (entry.reference, position, happening.status, _to_number(happening.at), happening.place,
                 happening.note, entry.courier, _to_number(happening.send_at), copies),
            )  # fmt: skip

    def entry(self, courier: str, reference: str) -> Entry | None:
        row = self._sql("SELECT * FROM booking WHERE reference = ? AND courier = ?", (reference, courier)).fetchone()
        return None if row is None else _entry(row)

    def under(self, courier: str, key: str) -> list[Entry]:
        """What was booked under a key, oldest first: more than one when the key was forgotten in between."""
        rows = self._sql("SELECT * FROM booking WHERE courier = ? AND key = ? ORDER BY booked_at", (courier, key))
        return [_entry(row) for row in rows]

    def entries(self, courier: str, order: str | None) -> list[Entry]:
        where, values = ("", ()) if order is None else (" AND order_number = ?", (order,))
        rows = self._sql(
            f"SELECT * FROM booking WHERE courier = ?{where} ORDER BY booked_at, reference",  # noqa: S608 - fixed text
            (courier, *values),
        )
        return [_entry(row) for row in rows]

    def cancel(self, reference: str, at: datetime) -> None:
        """Ends a booking of which nothing has happened yet: nothing will, and no word of it is sent."""
        self._sql(
            "UPDATE booking SET cancelled_at = ? WHERE reference = ? AND cancelled_at IS NULL",
            (_to_number(at), reference),
        )
        self._sql("DELETE FROM happening WHERE reference = ?", (reference,))

    # --- what happened ---

    def reports(self, reference: str, now: datetime) -> list[Report]:
        """What has happened to a booking until now, in the order in which it happened."""
        rows = self._sql(
            "SELECT status, at, place, note FROM happening WHERE reference = ? AND at <= ? ORDER BY at, position",
            (reference, _to_number(now)),
        )
        return [Report(row["status"], rfc3339(_to_time(row["at"])), row["place"], row["note"]) for row in rows]

    def due_webhooks(self, courier: str, now: datetime, limit: int) -> list[Webhook]:
        rows = self._sql(
            "SELECT h.*, b.order_number FROM happening h JOIN booking b USING (reference) "
            "WHERE h.courier = ? AND h.copies > 0 AND h.send_at <= ? "
            "ORDER BY h.send_at, h.reference, h.position LIMIT ?",
            (courier, _to_number(now), limit),
        )
        return [_webhook(row) for row in rows]

    def acknowledge(self, reference: str, position: int) -> None:
        self._sql(
            "UPDATE happening SET copies = copies - 1 WHERE reference = ? AND position = ? AND copies > 0",
            (reference, position),
        )

    def next_webhook_at(self, courier: str) -> datetime | None:
        row = self._sql(
            "SELECT min(send_at) AS at FROM happening WHERE courier = ? AND copies > 0", (courier,)
        ).fetchone()
        return None if row["at"] is None else _to_time(row["at"])


def rfc3339(moment: datetime) -> str:
    """A time as text, in UTC with microseconds and `Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def webhook_place(webhook_id: str) -> tuple[str, int]:
    """Reference and position that a webhook's id names. ValueError when it names none."""
    reference, _, position = webhook_id.rpartition(":")
    return reference, int(position)


def _webhook(row: sqlite3.Row) -> Webhook:
    identity = f"{row['reference']}:{row['position']}"
    at = rfc3339(_to_time(row["at"]))
    if row["status"] == "picked_up":
        payload = {"booking": row["reference"], "at": at, "driver": _driver(row["reference"])}
        return Webhook(identity, "courier.picked_up", row["order_number"], payload)
    payload = {
        "booking": row["reference"], "status": row["status"], "at": at, "place": row["place"], "note": row["note"],
    }  # fmt: skip
    return Webhook(identity, "courier.reported", row["order_number"], payload)


_DRIVERS = ("A. Rahman", "B. Jensen", "C. Okafor", "D. Moreau", "E. Tan", "F. Novak", "G. Silva")


def _driver(reference: str) -> str:
    return _DRIVERS[sum(reference.encode()) % len(_DRIVERS)]


def _entry(row: sqlite3.Row) -> Entry:
    return Entry(
        reference=row["reference"],
        courier=row["courier"],
        order=row["order_number"],
        tracking_number=row["tracking_number"],
        shipping_method=row["shipping_method"],
        recipient=row["recipient"],
        expected_on=date.fromisoformat(row["expected_on"]),
        packages=tuple(Package(*values) for values in json.loads(row["packages"])),
        proof=bool(row["proof"]),
        booked_at=_to_time(row["booked_at"]),
        cancelled_at=None if row["cancelled_at"] is None else _to_time(row["cancelled_at"]),
        key=row["key"],
    )


def _to_number(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _to_time(number: int) -> datetime:
    return _EPOCH + timedelta(microseconds=number)
