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


def test_a_moved_time_is_found(shop: Shop, order: OrderHandle) -> None:
    """A microsecond is enough."""
    from engine.store.tables import Event

    with shop.engine.transaction() as session:
        row = session.query(Event).filter_by(seq=3).one()
        row.at = row.at.replace(microsecond=1)

    assert ["event 3" in fault for fault in shop.engine.verify_audit()] == [True]


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
