"""The history: a line for everything that happened, in a chain that shows every change."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from sqlalchemy import Connection, text

from tests.scenarios.conftest import SQLITE_USUALLY
from tests.scenarios.shop import OrderHandle, Shop

pytestmark = SQLITE_USUALLY


@pytest.fixture
def order(shop: Shop) -> OrderHandle:
    """An order with some history."""
    return shop.places_order().goes_to("prepare_shipment")


def tamper(shop: Shop, *statements: str, **values: Any) -> None:
    with shop.parts.database.engine.begin() as connection:
        for statement in statements:
            _run(connection, statement, values)


def _run(connection: Connection, statement: str, values: Any) -> None:
    connection.execute(text(statement), {k: v for k, v in values.items() if f":{k}" in statement})


def test_an_untouched_history_is_whole(shop: Shop, order: OrderHandle) -> None:
    """Numbers without a gap, each line linked to the one before, the order knows the last."""
    lines = order.history()

    assert [line.seq for line in lines] == list(range(1, len(lines) + 1))
    assert all(later.previous == earlier.hash for earlier, later in itertools.pairwise(lines))
    assert shop.engine.verify_audit(order.number) == []


@pytest.mark.parametrize("change", [
    "actor = 'somebody'", "kind = 'kompleted'", "element = 'other'", "name = 'Other'", "step = 19",
    "process = 'other'", "hash = 'f' || substr(hash, 2)", "previous = 'f' || substr(previous, 2)",
])
def test_a_changed_line_is_found(shop: Shop, order: OrderHandle, change: str) -> None:
    """Whatever column was touched, the line is named."""
    before = order.history()[3]
    tamper(shop, f"UPDATE event SET {change} WHERE seq = 4")
    assert order.history()[3] != before or "hash" in change or "previous" in change

    faults = shop.engine.verify_audit()

    assert faults
    assert any("event 4" in fault or "event 5" in fault for fault in faults)
    assert all(order.number in fault for fault in faults)


def test_one_changed_byte_is_found(shop: Shop, order: OrderHandle) -> None:
    """Also deep in what a line holds."""
    with shop.parts.database.engine.begin() as connection:
        body = connection.execute(text("SELECT body FROM event WHERE seq = 2")).scalar_one()
        changed = bytes(body).replace(b"Greta", b"Gretb")
        assert changed != body
        connection.execute(text("UPDATE event SET body = :body WHERE seq = 2"), {"body": changed})

    assert shop.engine.verify_audit() == [
        f"{order.number}: event 2: its content does not match its hash; the row was changed."
    ]


def test_a_moved_time_is_found(shop: Shop, order: OrderHandle) -> None:
    """A microsecond is enough."""
    from engine.store.tables import Event

    with shop.engine.transaction() as session:
        row = session.query(Event).filter_by(seq=3).one()
        row.at = row.at.replace(microsecond=1)

    assert ["event 3" in fault for fault in shop.engine.verify_audit()] == [True]


def test_a_removed_line_is_found(shop: Shop, order: OrderHandle) -> None:
    """In the middle."""
    tamper(shop, "DELETE FROM event WHERE seq = 3")

    assert any("event 4: expected number 3" in fault for fault in shop.engine.verify_audit())


def test_a_removed_end_is_found(shop: Shop, order: OrderHandle) -> None:
    """The order knows how long its history is."""
    last = len(order.history())
    tamper(shop, "DELETE FROM event WHERE seq = :last", last=last)

    assert shop.engine.verify_audit() == [
        f"{order.number}: the chain ends at {last - 1}, the order says {last}."
    ]


def test_swapped_lines_are_found(shop: Shop, order: OrderHandle) -> None:
    """Two lines that change places."""
    tamper(shop, "UPDATE event SET seq = 9999 WHERE seq = 3", "UPDATE event SET seq = 3 WHERE seq = 4",
           "UPDATE event SET seq = 4 WHERE seq = 9999")

    faults = shop.engine.verify_audit()

    assert any("event 3" in fault for fault in faults)
    assert any("event 4" in fault for fault in faults)


def test_an_inserted_line_is_found(shop: Shop, order: OrderHandle) -> None:
    """A copy of a line at the end, where numbers allow it."""
    last = len(order.history())
    columns = "instance_id, at, actor, kind, process, element, name, step, body, previous, hash"
    tamper(shop, f"INSERT INTO event (seq, {columns}) SELECT :next, {columns} FROM event WHERE seq = 2",
           next=last + 1)

    assert any(f"event {last + 1}" in fault for fault in shop.engine.verify_audit())


def test_the_fault_of_one_order_is_not_anothers(shop: Shop, order: OrderHandle) -> None:
    """Every order has a chain of its own."""
    other = shop.places_order()
    with shop.engine.reading() as session:
        session.rollback()
    instance = order.instance.id
    tamper(shop, "UPDATE event SET actor = 'x' WHERE seq = 3 AND instance_id = :instance", instance=instance)

    assert shop.engine.verify_audit(other.number) == []
    assert len(shop.engine.verify_audit()) == 1


def test_the_history_says_who_did_what(shop: Shop, order: OrderHandle) -> None:
    """People under their names, what runs by itself under the system's; with what changed."""
    first = next(e for e in order.history() if e.element == "receive_order" and e.kind == "completed")
    second = next(e for e in order.history() if e.element == "verify_customer")

    assert (first.actor, first.step) == ("sales", 1)
    assert first.after["order"]["number"] == order.number
    assert first.before.get("order") is None
    assert (second.actor, second.step) == ("waybill", 2)
