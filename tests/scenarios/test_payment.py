"""Steps 6 and 7: invoice, card and PayPal, bank transfer with reminders, and payment problems."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.errors import InvalidForm
from tests.scenarios.shop import OrderHandle, Shop

GATE = "approve_payment"


def by(shop: Shop, method: str, token: str | None = None) -> OrderHandle:
    """An order at step 7, to be paid this way."""
    more = {"payment_token": token} if token else {}
    order = shop.places_order(payment_method=method, **more)
    order.is_approved("approve_reservation")
    return order


# --- card and PayPal


@pytest.mark.parametrize("method", ["credit_card", "paypal"])
def test_what_is_invoiced_is_captured(shop: Shop, method: str) -> None:
    """Card and PayPal are charged with the invoice's total, once."""
    order = by(shop, method)

    assert order.open_elements() == [GATE]
    assert order.money()["captured"] == order.money()["invoiced"] == order.variables["invoice"]["total"]
    assert order.mails() == ["received", "invoice"]


def test_a_declined_card_is_tried_again_with_another_token(shop: Shop) -> None:
    """Declined: the customer is told, finance tries again, and only what passed counts."""
    order = by(shop, "credit_card", "tok_declined")
    assert order.open_elements() == ["resolve_payment"]
    assert order.mails() == ["received", "invoice", "payment_declined"]
    assert order.money()["captured"] == 0

    order.answers("resolve_payment", choice="again", payment_token="tok_other")

    assert order.open_elements() == [GATE]
    assert order.money()["captured"] == order.money()["invoiced"]


def test_a_card_that_is_declined_once_passes_when_tried_again(shop: Shop) -> None:
    """The second attempt is a new one: the provider is asked anew."""
    order = by(shop, "credit_card", "tok_declined_once")

    order.answers("resolve_payment", choice="again")

    assert order.open_elements() == [GATE]


def test_a_declined_card_is_replaced_by_paypal(shop: Shop) -> None:
    """Another method is taken over into the order."""
    order = by(shop, "credit_card", "tok_insufficient_funds")

    order.answers("resolve_payment", choice="other_method", payment_method="paypal")

    assert order.open_elements() == [GATE]
    assert order.row().payment_method == order.variables["order"]["payment_method"] == "paypal"


def test_a_declined_card_is_replaced_by_a_transfer(shop: Shop) -> None:
    """With a transfer chosen the order waits for the money."""
    order = by(shop, "credit_card", "tok_declined")

    order.answers("resolve_payment", choice="other_method", payment_method="bank_transfer")
    assert order.waits_at() == ["wait_for_transfer"]
    order.pays_by_transfer()

    assert order.open_elements() == [GATE]


def test_an_order_that_cannot_be_paid_is_cancelled(shop: Shop) -> None:
    """“Cancel” undoes everything: stock free, the invoice credited, the customer told."""
    before = shop.shelves()
    order = by(shop, "credit_card", "tok_declined")

    order.answers("resolve_payment", choice="cancel")

    assert order.status == "cancelled"
    assert shop.shelves() == before
    money = order.money()
    assert money["invoiced"] == money["credited"] > 0
    assert money["captured"] == money["refunded"] == 0
    assert order.mails()[-1] == "cancelled"


def test_a_lost_reply_is_asked_for_again_and_charges_once(shop: Shop) -> None:
    """The provider did it and its answer was lost: the same key finds out, nothing is charged twice."""
    order = by(shop, "credit_card", "tok_lost_reply")
    shop.time_passes(minutes=1)

    assert order.open_elements() == [GATE]
    assert shop.parts.ports.payments.balances() == {order.number: order.money()["invoiced"]}


def test_a_provider_that_is_down_for_a_while_is_asked_again(shop: Shop) -> None:
    """503 is no answer: the job waits a little and asks again."""
    order = by(shop, "credit_card", "tok_unavailable_once")
    assert order.open_elements() == []
    shop.time_passes(minutes=1)

    assert order.open_elements() == [GATE]


# --- bank transfer


def test_an_order_waits_for_its_transfer(shop: Shop) -> None:
    """The bank's message with the whole amount moves the order on."""
    order = by(shop, "bank_transfer")
    assert order.waits_at() == ["wait_for_transfer"]

    order.pays_by_transfer()

    assert order.open_elements() == [GATE]
    assert order.money()["captured"] == order.money()["invoiced"]


def test_the_customer_is_reminded_every_three_days_at_most_three_times(shop: Shop) -> None:
    """After 3, 6 and 9 days; then no more."""
    order = by(shop, "bank_transfer")
    sent = []
    for _ in range(13):
        shop.time_passes(days=1)
        sent.append(order.mails().count("payment_reminder"))

    assert sent == [0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3]
    assert order.waits_at() == ["wait_for_transfer"]


def test_reminders_missed_during_an_outage_are_not_made_up_for(shop: Shop) -> None:
    """After ten days without a worker the customer gets one reminder, not three at once."""
    order = by(shop, "bank_transfer")

    shop.time_passes(days=10)
    assert order.mails().count("payment_reminder") == 1
    shop.time_passes(days=3)

    assert order.mails().count("payment_reminder") == 1, "those that were missed count as done"


def test_a_transfer_that_does_not_come_is_asked_about(shop: Shop) -> None:
    """After 14 days a person settles it; trying again waits anew, with reminders of its own."""
    order = by(shop, "bank_transfer")
    for _ in range(14):
        shop.time_passes(days=1)
    assert order.open_elements() == ["resolve_payment"]

    order.answers("resolve_payment", choice="again")
    assert order.waits_at() == ["wait_for_transfer"]
    shop.time_passes(days=3)

    assert order.mails().count("payment_reminder") == 4
    order.pays_by_transfer()
    assert order.open_elements() == [GATE]


def test_a_reminder_stops_when_the_money_is_there(shop: Shop) -> None:
    """Who has paid is not reminded."""
    order = by(shop, "bank_transfer")
    order.pays_by_transfer()

    shop.time_passes(days=20)

    assert "payment_reminder" not in order.mails()


def test_a_transfer_that_comes_before_the_order_waits_is_kept(shop: Shop) -> None:
    """Early money is not lost: it is taken when the order comes to wait for it."""
    order = shop.places_order(payment_method="bank_transfer")
    total = order.variables["order"]["total"]
    order.hears("bank.transfer_received", amount=total * 2, currency="USD", reference="EARLY", payer="Greta")
    assert order.open_elements() == ["approve_reservation"]

    order.is_approved("approve_reservation")

    assert order.open_elements() == [GATE]
    money = order.money()
    assert money["captured"] - money["refunded"] == money["invoiced"], "what was too much has gone back"


def test_an_underpaid_order_is_settled_and_paid_by_a_second_transfer(shop: Shop) -> None:
    """A part is not enough: a person asks for the rest, and the second transfer completes it."""
    order = by(shop, "bank_transfer")
    due = order.variables["invoice"]["due"]

    order.pays_by_transfer(due - 1_000, "BT-1")
    assert order.open_elements() == ["resolve_payment"]
    order.answers("resolve_payment", choice="again")
    order.pays_by_transfer(1_000, "BT-2")

    assert order.open_elements() == [GATE]
    assert order.money()["captured"] == due


def test_a_second_transfer_while_a_person_decides_is_kept(shop: Shop) -> None:
    """The rest that arrives before anybody has decided counts as soon as the order waits again."""
    order = by(shop, "bank_transfer")
    due = order.variables["invoice"]["due"]
    order.pays_by_transfer(due - 1_000, "BT-1")
    order.pays_by_transfer(1_000, "BT-2")
    assert order.open_elements() == ["resolve_payment"]

    order.answers("resolve_payment", choice="again")

    assert order.open_elements() == [GATE]


def test_the_same_transfer_reported_twice_counts_once(shop: Shop) -> None:
    """The bank may repeat itself: once by message id, once by the transfer's reference."""
    order = by(shop, "bank_transfer")
    due = order.variables["invoice"]["due"]
    assert order.hears("bank.transfer_received", "x1", amount=due - 500, currency="USD", reference="BT-1", payer="G")
    assert not order.hears("bank.transfer_received", "x1", amount=due - 500, currency="USD", reference="BT-1",
                           payer="G")
    order.answers("resolve_payment", choice="again")
    order.hears("bank.transfer_received", "x2", amount=due - 500, currency="USD", reference="BT-1", payer="G")

    assert order.open_elements() == ["resolve_payment"]
    assert order.money()["captured"] == due - 500


def test_paid_too_much_goes_back_by_itself(shop: Shop) -> None:
    """What is not owed is refunded without anybody's asking."""
    order = by(shop, "bank_transfer")
    due = order.variables["invoice"]["due"]

    order.pays_by_transfer(due + 777)

    assert order.money() == {"invoiced": due, "credited": 0, "captured": due + 777, "refunded": 777}


def test_a_transfer_that_nobody_can_read_is_looked_at_by_a_person(shop: Shop) -> None:
    """A report without an amount is no payment."""
    order = by(shop, "bank_transfer")

    order.hears("bank.transfer_received", reference="BT-1")

    assert order.open_elements() == ["resolve_payment"]
    assert order.money()["captured"] == 0


# --- gate 8


def test_an_approved_payment_goes_to_the_warehouse(shop: Shop) -> None:
    """Approved, step 9 opens."""
    order = by(shop, "credit_card")

    order.is_decided(GATE)

    assert order.open_elements() == ["prepare_shipment"]


@pytest.mark.parametrize(("step", "again"), [(6, [6, 7]), (7, [7])])
def test_a_payment_that_is_sent_back_is_never_charged_twice(shop: Shop, step: int, again: list[int]) -> None:
    """Sent back to 6 or 7, the step runs again on the balance: the same invoice, no second charge."""
    order = by(shop, "credit_card")

    for _ in range(2):
        order.is_decided(GATE, "send_back", comment="Look again.", step=step)

    assert order.steps() == [1, 2, 3, 4, 5, 6, 7, 8, *again, 8, *again]
    money = order.money()
    assert money["invoiced"] == money["captured"]
    assert shop.parts.ports.payments.balances() == {order.number: money["invoiced"]}
    assert order.open_elements() == [GATE]


def test_a_transfer_order_that_is_sent_back_does_not_wait_again(shop: Shop) -> None:
    """The money is there: step 7 has nothing to wait for."""
    order = by(shop, "bank_transfer")
    order.pays_by_transfer()

    order.is_decided(GATE, "send_back", comment="Look again.", step=6)

    assert order.open_elements() == [GATE]
    assert order.money()["captured"] == order.money()["invoiced"]


def test_a_rejected_payment_is_paid_back_and_cancels_the_order(shop: Shop) -> None:
    """Rejected: money back, invoice credited, stock free, customer told."""
    before = shop.shelves()
    order = by(shop, "paypal")

    order.is_decided(GATE, "reject", comment="Suspicious.")

    assert order.status == "cancelled"
    assert shop.shelves() == before
    money = order.money()
    assert money["captured"] == money["refunded"] == money["invoiced"] == money["credited"] > 0
    assert shop.parts.ports.payments.balances() == {order.number: 0}
    assert order.mails()[-1] == "cancelled"


def test_a_large_payment_needs_two_people_of_its_own_team(shop: Shop) -> None:
    """Both gates follow the same policy."""
    order = shop.places_order(items=[{"sku": "product-d", "quantity": 20}])
    order.is_approved("approve_reservation")

    assert order.is_decided(GATE, by="payment-approver")[1:] == (1, 2)
    assert order.open_elements() == [GATE]
    assert order.is_decided(GATE, by="payment-approver-2")[1:] == (2, 2)
    assert order.open_elements() == ["prepare_shipment"]


def test_sending_back_to_a_step_that_is_not_offered_is_refused(shop: Shop) -> None:
    """Gate 8 sends back to 6 or 7 and nowhere else."""
    order = by(shop, "credit_card")

    with pytest.raises(InvalidForm):
        order.is_decided(GATE, "send_back", comment="Back to the start.", step=3)


def test_a_late_gate_keeps_its_money(shop: Shop) -> None:
    """Nobody signs for weeks: the task is escalated, the money stays where it is."""
    order = by(shop, "credit_card")

    shop.time_passes(days=30)

    assert order.task(GATE).priority == 1
    assert order.money()["refunded"] == 0
    assert shop.clock.now() - order.task(GATE).created_at >= timedelta(days=30)


def test_the_task_says_why_it_was_opened(shop: Shop) -> None:
    """A person who resolves a problem reads first what the problem is."""
    order = shop.places_order(payment_token="tok_insufficient_funds").goes_to("resolve_payment")

    assert "insufficient funds" in str(order.task("resolve_payment").reason)
