"""How long the board and the search take on a filled database: `python -m benchmarks.orders [sqlite|postgres URL]`.

Rows are written directly: 100,000 orders, 10,000 of them open with a task each, 100 of these stopped by an incident.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from engine.audit import GENESIS
from engine.store.database import Database
from engine.store.tables import Event, Instance, Job, ProcessVersion, Task
from handlers.order_words import words_of_order
from handlers.tables import Order, OrderLine, OrderWord, Payment, Product, Shipment
from migrations import METADATA
from web import order_search, queries
from web.board import board

ORDERS, OPEN, STOPPED = 100_000, 10_000, 100
_NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
_CHUNK = 10_000
_FIRST = ("Mia", "Greta", "Priya", "Ama", "Jonas", "Sofia", "Ravi", "Anna", "Luca", "Noor")
_LAST = ("Tanaka", "Meier", "Nair", "Boateng", "Lindqvist", "Marques", "Menon", "Dubois", "Rossi", "Hansen")
_CITIES = ("Berlin", "Lyon", "New York", "Penang", "Oslo", "Porto", "Accra", "Kyoto")
_TEAMS = ("sales", "warehouse", "finance", "shipping", "stock-approvers", "payment-approvers")
_SEARCHES = (
    "WB-95000", "TRK00050000", "CAP-00050000", "WB-950", "9500", "Dubois Lyon", "zebra", "mia.tanaka42@",
    "product-a", "product-rare",
)  # fmt: skip


def main() -> None:
    """Fills an empty database and prints the medians."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(sys.argv[1] if len(sys.argv) > 1 else f"sqlite:///{folder}/orders.db")
        for metadata in METADATA:
            metadata.create_all(database.engine)
        _fill(database)
        with database.engine.begin() as connection:
            connection.execute(text("ANALYZE"))
        _print(database)
        database.dispose()


def _print(database: Database) -> None:
    table = Table("", "ms", title=f"{ORDERS:,} orders, {OPEN:,} open, {database.engine.dialect.name}")
    for name, work in _measured():
        with database.read() as session:
            table.add_row(name, f"{_median(lambda work=work, session=session: work(session)):.1f}")
    Console(width=100).print(table)


def _measured() -> Iterator[tuple[str, Callable[[Session], object]]]:
    yield "board", lambda session: board(session, _NOW)
    yield "board, one team's late ones", lambda session: board(session, _NOW, team="finance", late=True)
    yield "list, newest", queries.order_rows
    yield "list, step 5, open", lambda session: queries.order_rows(session, step=5, state="open")
    for typed in _SEARCHES:
        yield f"search “{typed}”", lambda session, typed=typed: _search(session, typed)


def _search(session: Session, typed: str) -> object:
    return queries.order_rows(session, search=order_search.read(session, typed))


def _median(work: Callable[[], object], runs: int = 5) -> float:
    found = []
    for _ in range(runs):
        began = time.process_time()
        work()
        found.append((time.process_time() - began) * 1000)
    return statistics.median(found)


def _fill(database: Database) -> None:
    chance = random.Random(1)
    with database.write() as session:
        version = ProcessVersion(
            key=queries.PROCESS, name="Orders", version=1, base_version=None, content_hash="", bundle=b"",
            origin="folder", reason="", deployed_by="", consented_by=None, deployed_at=_NOW, state="deployed",
            answered_at=None, answer="",
        )  # fmt: skip
        session.add(version)
        for sku in (*(f"product-{letter}" for letter in "abcde"), "product-rare"):
            session.add(Product(sku=sku, name=sku, unit_price=1000, currency="USD", weight_g=100))
        session.flush()
        for start in range(0, ORDERS, _CHUNK):
            rows: dict[Any, list[dict[str, Any]]] = {}
            for n in range(start, start + _CHUNK):
                for model, row in _order(n, version.id, chance):
                    rows.setdefault(model, []).append(row)
            for model in (Order, OrderWord, Instance, OrderLine, Shipment, Payment, Event, Task, Job):
                if model in rows:
                    session.execute(insert(model), rows[model])
        assert session.scalar(select(Order.number).where(Order.number == "WB-95000"))


def _order(n: int, version: int, chance: random.Random) -> Iterator[tuple[Any, dict[str, Any]]]:
    number, id_, at = f"WB-{10001 + n}", f"i{n}", _NOW - timedelta(minutes=ORDERS - n)
    is_open, step = n >= ORDERS - OPEN, chance.randrange(1, 21)
    first, last = chance.choice(_FIRST), chance.choice(_LAST)
    named = (f"{first} {last}", f"{first}.{last}{n % 1000}@example.com".lower(), chance.choice(_CITIES), f"shop-{n}")
    name, email, city, reference = named
    yield Order, {
        "number": number, "customer_name": name, "email": email,
        "phone": "", "street": "", "city": city, "region": "", "postal_code": "", "country": "DE",
        "details_confirmed": None, "payment_method": "credit_card", "payment_token": None,
        "shipping_method": "standard", "stock_region": "europe", "follow_up": "request_feedback", "currency": "EUR",
        "source": "api", "order_ref": reference, "track_token": f"t{n}", "placed_at": at, "placed_by": "sales",
        "closed_at": None, "cancelled_at": None,
    }  # fmt: skip
    for word in words_of_order(number, *named):
        yield OrderWord, {"word": word, "order_number": number}
    yield Instance, {
        "id": id_, "process_key": queries.PROCESS, "business_key": number, "version_id": version,
        "process": queries.PROCESS, "status": "open" if is_open else "closed", "revision": 1, "state": b"",
        "variables": b"", "visits": b"", "committed": False, "cancel_reason": None, "step": step,
        "step_name": f"Step {step}", "awaits": "", "seq": 1, "head": GENESIS, "started_at": at, "ended_at": None,
    }  # fmt: skip
    yield OrderLine, {
        "order_number": number, "position": 1, "name": "", "quantity": 1, "unit_price": 1000,
        "sku": "product-rare" if n % 20_000 == 7 else f"product-{chance.choice('abcde')}",
    }  # fmt: skip
    yield Shipment, {
        "reference": f"B-{n}", "order_number": number, "round": 1, "courier": "courier_a",
        "tracking_number": f"TRK{n:08}", "state": "booked", "booked_at": at,
    }  # fmt: skip
    yield Payment, {
        "key": f"k{n}", "order_number": number, "kind": "capture", "method": "credit_card", "amount": 1000,
        "currency": "EUR", "state": "done", "reference": f"CAP-{n:08}", "message": "", "at": at,
    }  # fmt: skip
    yield Event, {
        "instance_id": id_, "seq": 1, "at": at, "actor": "sales", "kind": "started", "process": queries.PROCESS,
        "element": None, "name": None, "step": None, "body": b"{}", "previous": GENESIS, "hash": GENESIS,
    }  # fmt: skip
    if is_open and n % 4:
        yield Task, {
            "id": f"t{n}", "instance_id": id_, "business_key": number, "process": queries.PROCESS, "element": "e",
            "name": "A task", "step": step, "team": chance.choice(_TEAMS), "escalate_to": None, "kind": "form",
            "state": "open", "assignee": None, "claimed_at": None, "created_at": at, "has_due": True, "priority": 0,
            "due_at": _NOW + timedelta(minutes=chance.randrange(-600, 6000)), "reason": None, "revision": 1,
            "draft": None, "data": None, "completed_by": None, "completed_at": None,
        }  # fmt: skip
    if n >= ORDERS - STOPPED:
        yield Job, {
            "id": f"j{n}", "instance_id": id_, "business_key": number, "process": queries.PROCESS, "task_id": None,
            "element": None, "name": None, "step": None, "kind": "operation", "operation": None, "key": f"j{n}",
            "arguments": b"", "state": "dead", "run_at": at, "attempts": 8, "max_attempts": 8, "fence": 0,
            "lease_owner": None, "lease_until": None, "error": None, "result": None, "created_at": at,
            "updated_at": at,
        }  # fmt: skip


if __name__ == "__main__":
    main()
