"""The demo's last word: `broken` finds every kind of broken invariant, and nothing where all is well."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app import Counterparties, Parts, build, prepare
from demo.dice import Dice
from demo.outside import CourierWorld
from demo.run import DemoRun, Progress
from demo.tally import broken, happened
from settings import load
from tests.clock import MovableClock

SEED, ORDERS = 7, 4
START = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


def opened(var: Path, clock: MovableClock) -> Parts:
    world = CourierWorld(Dice(SEED))
    parts = build(load(var=var, demo=True, database_url="", smtp_url=""), clock=clock,
                  counterparties=Counterparties(plan=world.plan, courier_faults=world.fault))
    prepare(parts)
    parts.ports.renderer.pdf = lambda _name, _data: b"%PDF-"  # type: ignore[method-assign]
    return parts


def play(var: Path, orders: int = ORDERS) -> tuple[Parts, bool, list[Progress]]:
    clock = MovableClock(START)
    parts = opened(var, clock)
    told: list[Progress] = []
    return parts, DemoRun(parts.engine, parts.ports, clock, orders=orders, seed=SEED).run(told.append), told


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a demo that has ended well."""
    var = tmp_path_factory.mktemp("demo") / "var"
    parts, all_ended, _ = play(var)
    assert all_ended
    assert broken(parts.engine, parts.ports) == []
    with parts.database.engine.connect() as connection:
        connection.rollback()
        connection.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]
    parts.database.dispose()
    return var


@pytest.fixture
def parts(ended: Path, tmp_path: Path) -> Iterator[Parts]:
    """A copy of it, to be broken."""
    shutil.copytree(ended, tmp_path / "var")
    parts = opened(tmp_path / "var", MovableClock(START))
    yield parts
    parts.database.dispose()


CLOSED = "(select min(business_key) from instance where status = 'closed')"


@pytest.mark.parametrize(("book", "statement", "said"), [
    ("waybill", "update stock set on_hand = on_hand + 1 where sku = 'product-a' and region = 'europe'",
     "stock: ('product-a', 'europe') has"),
    ("waybill", "update stock set reserved = reserved + 1 where sku = 'product-b' and region = 'malaysia'",
     "stock: ('product-b', 'malaysia') has 1 reserved, its reservations add up to 0"),
    ("waybill", f"update reservation set state = 'held' where order_number = {CLOSED} and state = 'shipped'",
     "is still held, and its order has ended"),
    ("waybill", f"update payment set amount = amount + 1 where kind = 'capture' and order_number = {CLOSED}",
     "(closed) owes "),
    ("waybill", f"update instance set status = 'cancelled' where business_key = {CLOSED}",
     "is cancelled and still invoiced"),
    ("outside/payments", "update movement set amount = amount + 1 where kind in ('capture', 'transfer')",
     "by our books the provider has"),
    ("waybill", "insert into shipment select reference || 'x', order_number, round, courier, tracking_number, state,"
     " expected_on, booked_at, picked_up_at, ended_at, proof from shipment where state = 'delivered' limit 1",
     "has 2 bookings for its shipment 1"),
    ("outside/couriers", "insert into booking select 'X' || reference, courier, order_number, tracking_number,"
     " shipping_method, recipient, expected_on, packages, proof, booked_at, null, key from booking limit 1",
     "that the shop does not know"),
    ("waybill", f"update orders set closed_at = null where number = {CLOSED}",
     "has ended and was not closed in the system"),
    ("waybill", "update job set state = 'dead' where id = (select min(id) from job where state = 'done')",
     "jobs: 1 dead jobs of orders that have ended"),
    ("waybill", "update event set actor = 'somebody' where seq = 3", "event 3: its content does not match its hash"),
    ("waybill", "delete from event where seq = 3", "event 3: is missing"),
])  # fmt: skip
def test_each_kind_of_broken_invariant_is_named(parts: Parts, book: str, statement: str, said: str) -> None:
    """What is wrong is said in a line; so a demo that ends well proves something."""
    assert broken(parts.engine, parts.ports) == []

    with sqlite3.connect(parts.settings.var / f"{book}.db") as connection:
        assert connection.execute(statement).rowcount > 0

    found = broken(parts.engine, parts.ports)
    assert any(said in line for line in found), found
    assert all("\n" not in line for line in found)


def test_the_same_seed_gives_the_same_orders_and_the_same_luck(ended: Path, tmp_path: Path) -> None:
    """What happened is counted alike in every run; a run without new orders changes nothing."""
    first = opened(ended, MovableClock(START))
    second, _, told = play(tmp_path / "var")

    assert happened(second.engine) == happened(first.engine)
    assert told[-1].ended == ORDERS
    before = happened(second.engine)
    clock = MovableClock(START)
    assert DemoRun(second.engine, second.ports, clock, orders=0, seed=SEED).run()
    assert DemoRun(second.engine, second.ports, clock, orders=ORDERS, seed=SEED).run()
    assert happened(second.engine) == before

    for parts in (first, second):
        parts.database.dispose()


def test_a_demo_of_no_orders_ends_at_once(tmp_path: Path) -> None:
    """Nothing to do is no failure."""
    parts, all_ended, told = play(tmp_path / "var", orders=0)

    assert all_ended
    assert [(each.placed, each.ended, each.total) for each in told] == [(0, 0, 0)]
    assert broken(parts.engine, parts.ports) == []
    parts.database.dispose()


def test_the_clock_goes_on_where_an_earlier_run_ended(ended: Path, tmp_path: Path) -> None:
    """An earlier run may have jumped ahead by weeks: a later one never writes history before it."""
    shutil.copytree(ended, tmp_path / "var")
    clock = MovableClock(START)
    parts = opened(tmp_path / "var", clock)

    DemoRun(parts.engine, parts.ports, clock, orders=0, seed=SEED).run()

    assert clock.now() > START
    parts.database.dispose()
