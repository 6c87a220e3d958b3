"""Messages: stored before they are matched, once each, kept when they come early."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event

from engine.errors import DatabaseTrouble, InvalidForm
from engine.store.tables import Message
from tests.scenarios.shop import Shop


def stored(shop: Shop) -> list[tuple[str, str | None]]:
    """Message id and the element that took it."""
    with shop.engine.reading() as session:
        return [(row.message_id, row.consumed_by) for row in session.query(Message).order_by(Message.id)]


def test_the_same_message_counts_once(shop: Shop) -> None:
    """By source and id: a courier and a bank may use the same ids."""
    order = shop.places_order()

    assert shop.engine.deliver("bank.transfer_received", order.number, {}, source="bank", message_id="1")
    assert not shop.engine.deliver("bank.transfer_received", order.number, {}, source="bank", message_id="1")
    assert shop.engine.deliver("bank.transfer_received", order.number, {}, source="courier", message_id="1")

    assert stored(shop) == [("1", None), ("1", None)]


def test_a_message_nobody_waits_for_is_kept(shop: Shop) -> None:
    """And changes nothing."""
    order = shop.places_order()
    before = order.history()

    order.hears("courier.reported", "r1", booking="x", status="delivered")

    assert stored(shop) == [("r1", None)]
    assert order.history() == before


def test_a_message_says_who_took_it(shop: Shop) -> None:
    """The history has a line for it, with its source and id."""
    order = shop.places_order(payment_method="bank_transfer").goes_to("wait_for_transfer")

    order.hears("bank.transfer_received", "b1", amount=order.variables["invoice"]["due"], currency="USD",
                reference="BT")

    assert stored(shop) == [("b1", "wait_for_transfer")]
    [line] = [e for e in order.history() if e.kind == "message"]
    assert (line.element, line.actor, line.detail["id"]) == ("wait_for_transfer", "test", "b1")


def test_early_messages_are_taken_in_the_order_they_came(shop: Shop) -> None:
    """Reports that came before the pickup was confirmed are read one after the other."""
    order = shop.places_order().goes_to("confirm_pickup")
    booking = order.variables["booking"]["reference"]
    order.hears("courier.reported", "r1", booking=booking, status="on_the_way", at="2026-11-23T08:00:01Z")
    order.hears("courier.reported", "r2", booking=booking, status="out_for_delivery", at="2026-11-23T08:00:02Z")

    order.courier_reports("picked_up")

    assert [by for _, by in stored(shop)] == ["courier_reports", "courier_reports", "picked_up"]
    assert order.variables["courier_report"]["status"] == "out_for_delivery"


@pytest.mark.parametrize(("payload", "field"), [
    ({"note": "a\x00"}, "/payload/note"),
    ({"place": ["a", "\ud800"]}, "/payload/place/1"),
    ({"amount": 10**20}, "/payload/amount"),
    ({"amount": float("nan")}, "/payload/amount"),
    ({"text": "x" * 70_000}, "/payload"),
    ({"a": {"b\x00": 1}}, "/payload/a"),
])
def test_a_message_that_cannot_be_stored_is_refused(shop: Shop, payload: Any, field: str) -> None:
    """What no database can keep is bad input, and nothing of it is stored."""
    order = shop.places_order()

    with pytest.raises(InvalidForm) as refused:
        shop.engine.deliver("courier.reported", order.number, payload, source="c", message_id="1")

    assert [error.field for error in refused.value.errors] == [field]
    assert stored(shop) == []


def test_a_message_waits_for_the_command_that_is_under_way(shop: Shop) -> None:
    """An order that is just coming to its catch must not miss what arrives at that moment.

    On SQLite one command runs at a time; on PostgreSQL the instance is locked before it is asked what it awaits.
    """
    if shop.parts.database.is_sqlite:
        pytest.skip("one command at a time")
    order = shop.places_order()
    impatient = shop.parts.database.engine

    def hurry(connection: Any) -> None:
        connection.exec_driver_sql("SET LOCAL lock_timeout = '100ms'")

    with shop.engine.transaction() as session:
        from engine.unit import Unit
        from engine.views import SYSTEM

        Unit.lock(shop.engine, session, SYSTEM, key=order.number)
        event.listen(impatient, "begin", hurry)
        try:
            with pytest.raises(DatabaseTrouble):
                shop.engine.deliver("stock.arrived", order.number, {}, source="c", message_id="1")
        finally:
            event.remove(impatient, "begin", hurry)
