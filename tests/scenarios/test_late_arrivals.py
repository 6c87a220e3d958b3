"""What finishes after the order has moved on changes none of its newer values."""

from __future__ import annotations

from typing import Any

from handlers.tables import Mail
from tests.scenarios.shop import PEOPLE, OrderHandle, Shop
from tests.scenarios.test_cancelling import claim_of


def standing(order: OrderHandle) -> tuple[Any, ...]:
    """Everything of an order that a late arrival could spoil."""
    return (dict(order.variables), order.open_elements(), order.instance.step, order.money(), order.instance.awaits)


def test_a_payment_reminder_that_finishes_late_changes_nothing(shop: Shop) -> None:
    """The reminder was taken up, then the money came and the order went on: its job ends without effect."""
    order = shop.places_order(payment_method="bank_transfer").goes_to("wait_for_transfer")
    shop.clock.advance(days=3)
    claim = shop.engine.claim_next()
    while claim is not None and claim.kind != "timer":
        shop.engine.run_job(claim)
        claim = shop.engine.claim_next()
    assert claim is not None
    order.pays_by_transfer()
    order.goes_to("prepare_shipment")
    now = standing(order)

    shop.engine.run_job(claim)
    shop.works()

    assert standing(order) == now
    assert "payment_reminder" not in order.mails()
    assert "payment_reminder" not in order.variables


def test_a_reminders_own_mail_that_is_slow_changes_nothing(shop: Shop) -> None:
    """The reminder's side path ends while the main path is far ahead: newer variables stay."""
    order = shop.places_order(payment_method="bank_transfer").goes_to("wait_for_transfer")
    shop.clock.advance(days=3)
    claim = claim_of(shop, "mail.send")
    order.pays_by_transfer()
    order.goes_to("prepare_shipment")
    now = standing(order)

    shop.engine.run_job(claim)

    assert standing(order) == now
    assert order.mails().count("payment_reminder") == 1
    order.goes_to_its_end()
    assert order.status == "closed"


def test_a_late_tracking_message_changes_nothing(shop: Shop) -> None:
    """A report that arrives after the delivery, and one that is older than what is known."""
    order = shop.places_order().goes_to("confirm_pickup")
    booking = order.variables["booking"]["reference"]
    order.courier_reports("picked_up")
    shop.time_passes(days=4)
    order.courier_reports("on_the_way")
    now = standing(order)

    order.hears("courier.reported", booking=booking, status="delivered", at="2026-11-23T08:30:00Z")
    assert standing(order)[1:] == now[1:], "older than what is known"
    assert order.variables["tracking"] == {"status": "under_way"}

    shop.time_passes(hours=1)
    order.courier_reports("delivered")
    now = standing(order)
    order.hears("courier.reported", booking=booking, status="lost", at="2026-11-27T08:30:00Z")
    order.hears("courier.picked_up", booking=booking, at="2026-11-23T11:00:00Z", driver="Jo")

    assert standing(order) == now
    order.goes_to_its_end()
    assert order.status == "closed"


def test_a_mail_that_is_sent_slowly_changes_nothing(shop: Shop) -> None:
    """The mail server answers when the order is steps ahead: only the mail's own row changes."""
    order = shop.places_order()
    shop.engine.decide(  # the invoice's mail is queued, and nobody has sent it yet
        order.task("approve_reservation").id, PEOPLE["stock-approver"], "approve", comment="",
        snapshot=_page(order, "approve_reservation"),
    )
    claim = claim_of(shop, "mail.send")
    send = shop.parts.ports.mail.send
    seen: list[Any] = []

    def slow(message: Any) -> None:
        shop.parts.ports.mail.send = send  # type: ignore[method-assign]
        shop.works()
        order.goes_to("confirm_pickup")
        seen.append(standing(order))
        send(message)

    shop.parts.ports.mail.send = slow  # type: ignore[method-assign]
    shop.engine.run_job(claim)

    assert shop.engine.job(claim.id).error is None
    assert standing(order) == seen[0]
    with shop.engine.reading() as session:
        assert session.query(Mail).filter_by(kind="invoice").one().state == "sent"
    order.goes_to_its_end()
    assert order.status == "closed"
    assert order.mails().count("invoice") == 1


def test_a_mail_that_is_sent_after_the_order_ended_changes_nothing(shop: Shop) -> None:
    """Even when the order is closed long since."""
    order = shop.places_order(items=[{"sku": "product-e", "quantity": 1}]).goes_to("confirm_pickup")
    task, form = order.task("confirm_pickup"), order.detail("confirm_pickup", PEOPLE["shipping"]).form["examples"][0]
    shop.engine.complete(task.id, PEOPLE["shipping"], form)
    claim = claim_of(shop, "mail.send")
    order.goes_to_its_end()
    events = len(order.history())
    now = standing(order)

    shop.engine.run_job(claim)

    assert standing(order) == now
    assert order.status == "closed"
    assert [e.kind for e in order.history()[events:]] == ["recorded"]
    assert shop.engine.verify_audit() == []


def _page(order: OrderHandle, element: str) -> str:
    page = order.detail(element, PEOPLE["stock-approver"]).approval
    assert page is not None
    return page.snapshot
