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

from handlers.couriers.journeys import Happening, Webhook
from handlers.couriers.port import Booking, Package, Report

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS answer (
    courier TEXT NOT NULL, method TEXT NOT NULL, key TEXT NOT NULL,
    subject TEXT NOT NULL, refusal TEXT, reference TEXT,
    PRIMARY KEY (courier, method, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS booking (
    reference TEXT PRIMARY KEY, courier TEXT NOT NULL, order_number TEXT NOT NULL, tracking_number TEXT NOT NULL,
    shipping_method TEXT NOT NULL, recipient TEXT NOT NULL, expected_on TEXT NOT NULL, packages TEXT NOT NULL,
    proof INTEGER NOT NULL, booked_at INTEGER NOT NULL, cancelled_at INTEGER
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


@dataclass(frozen=True, slots=True)
class Answer:
    """What a courier answered to a key."""

    subject: str
    """What was asked, so that a key used for something else is noticed."""
    refusal: str | None
    reference: str | None


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

    @property
    def booking(self) -> Booking:
        return Booking(self.reference, self.tracking_number, self.expected_on)


class Ledger:
    """The file. `path` is made with its folder when it is not there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(self._connect()) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(_SCHEMA)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=10, isolation_level=None)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    @contextmanager
    def writing(self) -> Iterator[Books]:
        """One write transaction; other writers wait."""
        with closing(self._connect()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield Books(connection)
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    @contextmanager
    def reading(self) -> Iterator[Books]:
        """A consistent view."""
        with closing(self._connect()) as connection:
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
            "SELECT subject, refusal, reference FROM answer WHERE courier = ? AND method = ? AND key = ?",
            (courier, method, key),
        ).fetchone()
        return None if row is None else Answer(*row)

    def keep_answer(self, courier: str, method: str, key: str, answer: Answer) -> None:
        self._sql(
            "INSERT INTO answer (courier, method, key, subject, refusal, reference) VALUES (?, ?, ?, ?, ?, ?)",
            (courier, method, key, answer.subject, answer.refusal, answer.reference),
        )

    # --- bookings ---

    def add(self, entry: Entry, happenings: Sequence[Happening], *, copies: int) -> None:
        """Writes a booking and what will happen to it; each webhook is sent `copies` times."""
        packages = json.dumps([[p.sscc, p.weight_g, p.length_cm, p.width_cm, p.height_cm] for p in entry.packages])
        self._sql(
            "INSERT INTO booking VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
            (entry.reference, entry.courier, entry.order, entry.tracking_number, entry.shipping_method,
             entry.recipient, entry.expected_on.isoformat(), packages, entry.proof, _to_number(entry.booked_at)),
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
    )


def _to_number(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _to_time(number: int) -> datetime:
    return _EPOCH + timedelta(microseconds=number)
