"""Cancelling: whenever it happens before pickup, stock and money are as before the order and the customer is told."""

from __future__ import annotations

from typing import Any

import pytest

from engine.errors import TooLate
from handlers.couriers.embedded import Fault
from handlers.payments.embedded import Fault as PaymentFault
from handlers.tables import Payment, Shipment
from tests.scenarios.conftest import SQLITE_ONLY, Outside
from tests.scenarios.shop import PEOPLE, OrderHandle, Shop

UNDO = ["cancel_booking", "write_credit_note", "return_money", "release_stock", "tell_customer",
        "record_cancellation", "order_cancelled"]
WAITS = ["correct_details", "resolve_shortage", "wait_for_restock", "approve_reservation", "resolve_payment",
         "approve_payment", "prepare_shipment", "package_products", "choose_courier", "confirm_pickup"]


def at(shop: Shop, element: str, method: str) -> OrderHandle:
    """An order that waits at this element."""
    changes: dict[str, Any] = {"payment_method": method}
    if element == "correct_details":
        changes["phone"] = "12"
    if element in ("resolve_shortage", "wait_for_restock"):
        changes["items"] = [{"sku": "product-d", "quantity": 81}]
    if element == "resolve_payment" and method != "bank_transfer":
        changes["payment_token"] = "tok_declined"
    if element == "choose_courier":
        changes["items"] = [{"sku": "product-d", "quantity": 6}]
    order = shop.places_order(**changes)
    if element == "wait_for_restock":
        order.answers("resolve_shortage", choice="wait")
    if element == "resolve_payment":
        order.is_approved("approve_reservation")
        if method == "bank_transfer":
            order.pays_by_transfer(100)
    order.goes_to(element)
    return order


def puts_goods_back(order: OrderHandle) -> None:
    if order.open_elements() == ["put_goods_back"]:
        order.does("put_goods_back")


def assert_undone(shop: Shop, order: OrderHandle, before: Any) -> None:
    """Stock and money as before, nothing open, the customer told once."""
    assert order.status == "cancelled", order.where()
    assert shop.shelves() == before
    money = order.money()
    assert money["captured"] == money["refunded"]
    assert money["invoiced"] == money["credited"]
    assert shop.parts.ports.payments.balances().get(order.number, 0) == 0
    assert order.mails().count("cancelled") == 1
    assert order.open_elements() == []
    assert order.instance.awaits == ()
    assert not order.incidents()
    with shop.engine.reading() as session:
        assert session.query(Payment).filter_by(order_number=order.number, state="pending").count() == 0
        assert session.query(Shipment).filter_by(order_number=order.number, state="booked").count() == 0
    undone = [e.element for e in order.history() if e.process == "order_cancellation" and e.kind == "completed"]
    assert [element for element in undone if element in UNDO] == UNDO
    assert order.row().cancelled_at is not None
    assert shop.engine.verify_audit() == []
    shop.time_passes(days=60)
    assert order.open_elements() == []
    assert shop.shelves() == before


@pytest.mark.parametrize("element", WAITS)
def test_an_order_paid_by_card_is_cancelled_at_each_step_before_pickup(shop: Shop, element: str) -> None:
    """Each step of the undo is visible in the history; what was not done is not undone."""
    before = shop.shelves()
    order = at(shop, element, "credit_card")

    order.is_cancelled()
    puts_goods_back(order)

    assert_undone(shop, order, before)


@SQLITE_ONLY
@pytest.mark.parametrize("method", ["paypal", "bank_transfer"])
@pytest.mark.parametrize("element", WAITS[3:])
def test_whatever_it_was_paid_by(shop: Shop, element: str, method: str) -> None:
    """PayPal and transfers are paid back like cards."""
    before = shop.shelves()
    order = at(shop, element, method)

    order.is_cancelled()
    puts_goods_back(order)

    assert_undone(shop, order, before)


def test_an_order_that_waits_for_a_transfer_is_cancelled(shop: Shop) -> None:
    """With the wait its reminder and its expiry end; a transfer that comes afterwards moves nothing."""
    before = shop.shelves()
    order = shop.places_order(payment_method="bank_transfer").goes_to("wait_for_transfer")

    order.is_cancelled()

    assert_undone(shop, order, before)
    assert "payment_reminder" not in order.mails()


def test_an_order_is_cancelled_while_step_one_is_open(shop: Shop) -> None:
    """Nothing was taken down yet, so nothing is undone and nobody can be told."""
    shop.engine.start("order_fulfillment", "WB-1", PEOPLE["sales"])
    order = OrderHandle(shop, "WB-1")
    assert order.open_elements() == ["receive_order"]

    order.is_cancelled()

    assert order.status == "cancelled", order.where()
    assert order.open_elements() == []
    assert order.mails() == []
    assert not order.incidents()


def test_cancelling_twice_changes_nothing_more(shop: Shop) -> None:
    """Again gives the same answer, during the undo and after it."""
    order = shop.places_order().goes_to("package_products").is_cancelled()
    assert order.status == "cancelling"
    events = len(order.history())

    order.is_cancelled("Once more.")
    assert len(order.history()) == events
    puts_goods_back(order)
    assert order.status == "cancelled"
    order.is_cancelled("And again.")

    assert order.variables["cancellation"]["reason"] == "The customer changed her mind."


@pytest.mark.parametrize("way", ["message", "form"])
def test_what_was_picked_up_cannot_be_cancelled(shop: Shop, way: str) -> None:
    """From the pickup on it is too late, whoever confirmed it."""
    order = shop.places_order().goes_to("confirm_pickup")
    assert order.instance.can_cancel
    if way == "message":
        order.courier_reports("picked_up")
    else:
        order.does("confirm_pickup")

    assert not order.instance.can_cancel
    with pytest.raises(TooLate):
        order.is_cancelled()

    assert order.status == "open"


def test_a_closed_order_cannot_be_cancelled(shop: Shop) -> None:
    """What is ended stays ended."""
    order = shop.places_order(items=[{"sku": "product-e", "quantity": 1}])
    order.goes_to_its_end()

    with pytest.raises(TooLate):
        order.is_cancelled()


def test_a_courier_that_does_not_call_off_is_settled_by_a_person(shop: Shop, outside: Outside) -> None:
    """The courier refuses: a person calls, records what was agreed, and the undo goes on."""
    before = shop.shelves()
    order = shop.places_order().goes_to("confirm_pickup")
    outside.courier_fault = lambda method, key: Fault("refuse") if method == "cancel" else None

    order.is_cancelled()
    assert order.open_elements() == ["settle_booking"]
    order.does("settle_booking")
    puts_goods_back(order)

    assert_undone(shop, order, before)


def test_a_refund_that_is_refused_is_paid_by_hand(shop: Shop) -> None:
    """Finance pays back another way and writes down how."""
    before = shop.shelves()
    order = shop.places_order(payment_token="tok_refund_refused").goes_to("approve_payment")

    order.is_cancelled()
    assert order.open_elements() == ["refund_by_hand"]
    order.does("refund_by_hand")

    assert order.status == "cancelled"
    assert shop.shelves() == before
    money = order.money()
    assert money["captured"] == money["refunded"] == money["credited"]
    with shop.engine.reading() as session:
        methods = {row.method for row in session.query(Payment).filter_by(kind="refund", state="done")}
    assert methods == {"by_hand"}


def test_picked_goods_are_put_back_and_what_is_broken_is_written_off(shop: Shop) -> None:
    """What is off the shelf stays reserved until somebody has counted it in."""
    order = shop.places_order().goes_to("package_products")

    order.is_cancelled()
    assert order.open_elements() == ["put_goods_back"]
    assert shop.stock("product-a") == (380, 2)
    order.does("put_goods_back", lines=[{"sku": "product-a", "quantity": 1}, {"sku": "product-c", "quantity": 1}])

    assert order.status == "cancelled"
    assert shop.stock("product-a") == (379, 0)
    assert shop.stock("product-c") == (260, 0)


# --- while somebody outside is being asked


def claim_of(shop: Shop, operation: str) -> Any:
    """The worker takes this job up; what else is due is done first."""
    while True:
        claim = shop.engine.claim_next()
        assert claim is not None, f"{operation} is not due"
        if claim.operation == operation:
            return claim
        shop.engine.run_job(claim)


def in_capture(shop: Shop, **changes: Any) -> OrderHandle:
    """An order whose capture has been queued and not taken up."""
    order = shop.places_order(**changes)
    page = order.detail("approve_reservation", PEOPLE["stock-approver"]).approval
    assert page is not None
    shop.engine.decide(order.task("approve_reservation").id, PEOPLE["stock-approver"], "approve", comment="",
                       snapshot=page.snapshot)
    return order


def test_a_capture_that_nobody_has_begun_is_withdrawn(shop: Shop) -> None:
    """Cancelled before the worker came to it: the provider is never asked."""
    before = shop.shelves()
    order = in_capture(shop)

    order.is_cancelled()

    assert_undone(shop, order, before)
    assert shop.parts.ports.payments.statement() == []


def test_a_capture_under_way_is_awaited_recorded_and_refunded(shop: Shop) -> None:
    """Cancelled while the provider is being asked: what it did becomes known, then it is undone."""
    before = shop.shelves()
    order = in_capture(shop)
    claim = claim_of(shop, "payment.capture")

    order.is_cancelled()
    assert order.status == "cancelling"
    assert "cancel_booking" not in order.waits_at(), "the undo waits for the answer"
    shop.engine.run_job(claim)
    shop.works()

    assert order.money()["captured"] > 0
    assert_undone(shop, order, before)


def test_a_capture_whose_reply_is_lost_while_the_order_is_cancelled_is_refunded(
    shop: Shop, outside: Outside
) -> None:
    """The money was taken and nobody heard of it: it is asked for again, recorded and paid back."""
    before = shop.shelves()
    lost: list[str] = []

    def fault(method: str, key: str) -> Any:
        if method == "capture" and not lost:
            lost.append(key)
            return PaymentFault.LOST_REPLY
        return None

    outside.payment_fault = fault
    order = in_capture(shop)
    claim = claim_of(shop, "payment.capture")

    shop.engine.cancel(order.number, PEOPLE["sales"], "Changed her mind.")
    shop.engine.run_job(claim)
    shop.works()
    assert order.status == "cancelling"
    assert shop.parts.ports.payments.balances() == {order.number: order.money()["invoiced"]}
    shop.time_passes(minutes=1)

    assert lost
    assert order.money()["captured"] == order.money()["refunded"] > 0
    assert_undone(shop, order, before)


def test_a_lost_reply_before_the_cancellation_is_found_out_first(shop: Shop) -> None:
    """The reply was lost, then the order was cancelled while the job waited to ask again."""
    before = shop.shelves()
    order = in_capture(shop, payment_token="tok_lost_reply")
    shop.works()

    order.is_cancelled()
    assert order.status == "cancelling"
    shop.time_passes(minutes=1)

    assert order.money()["captured"] == order.money()["refunded"] > 0
    assert_undone(shop, order, before)


def test_a_capture_that_is_declined_while_the_order_is_cancelled_leaves_nothing(shop: Shop) -> None:
    """A refusal is an answer too."""
    before = shop.shelves()
    order = in_capture(shop, payment_token="tok_declined")
    claim = claim_of(shop, "payment.capture")

    shop.engine.cancel(order.number, PEOPLE["sales"], "Changed her mind.")
    shop.engine.run_job(claim)
    shop.works()

    assert_undone(shop, order, before)
    assert "payment_declined" not in order.mails()


def test_a_booking_under_way_is_recorded_and_called_off(shop: Shop) -> None:
    """Cancelled while the courier is being asked: its booking becomes known and is called off."""
    before = shop.shelves()
    order = shop.places_order().goes_to("package_products")
    task = order.task("package_products")
    form = order.detail("package_products", PEOPLE["warehouse"]).form["examples"][0]
    shop.engine.complete(task.id, PEOPLE["warehouse"], form)
    claim = claim_of(shop, "courier.book")

    shop.engine.cancel(order.number, PEOPLE["sales"], "Changed her mind.")
    shop.engine.run_job(claim)
    shop.works()
    puts_goods_back(order)

    assert_undone(shop, order, before)
    with shop.engine.reading() as session:
        assert [row.state for row in session.query(Shipment)] == ["cancelled"]


def test_a_refund_beside_the_token_is_not_paid_twice(shop: Shop) -> None:
    """Overpaid and being paid back when the order is cancelled: everything goes back, once."""
    before = shop.shelves()
    order = shop.places_order(payment_method="bank_transfer").goes_to("wait_for_transfer")
    due = order.variables["invoice"]["due"]
    shop.engine.deliver("bank.transfer_received", order.number,
                        {"amount": due + 500, "currency": "USD", "reference": "BT-9", "payer": "Greta"},
                        source="bank", message_id="b9")
    shop.engine.run_job(claim_of(shop, "payment.capture"))
    claim = claim_of(shop, "payment.refund")

    shop.engine.cancel(order.number, PEOPLE["sales"], "Changed her mind.")
    shop.works()
    shop.engine.run_job(claim)
    shop.works()
    shop.time_passes(minutes=10)
    for incident in order.incidents():
        shop.engine.retry(incident.id, PEOPLE["sales"])
    shop.works()

    money = order.money()
    assert money["captured"] == money["refunded"] == due + 500
    assert_undone(shop, order, before)
