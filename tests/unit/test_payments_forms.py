"""What people do about a payment, and what the approver of gate 8 signs."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from handlers.contract import Problem, Refused
from handlers.payments import forms
from handlers.tables import Payment
from tests.conftest import MovableClock
from tests.till import Till, sell

TOTAL = 11_900


@pytest.fixture
def till(session: Session, clock: MovableClock, tmp_path: Path) -> Till:
    """An order over 100.00 and 19 % tax, invoiced, whose card is declined."""
    sell(session, clock, {"product-a": (4, 2500)}, payment_token="tok_declined")
    till = Till(session, clock, tmp_path)
    till.invoice()
    till.queued.clear()
    return till


# --- resolve payment problem -----------------------------------------------------------------------------------------


def test_another_method_is_written_into_the_order(till: Till) -> None:
    """The diagram reads the new method from the variable, the next capture the new token."""
    variable = forms.resolve(
        till.call(), {"choice": "other_method", "payment_method": "paypal", "payment_token": "tok_new"}
    )

    assert variable["payment_method"] == "paypal"
    assert till.order.payment_token == "tok_new"


def test_an_old_token_does_not_follow_to_another_method(till: Till) -> None:
    """A card's token means nothing to PayPal or the bank."""
    forms.resolve(till.call(), {"choice": "other_method", "payment_method": "bank_transfer", "payment_token": "tok"})

    assert (till.order.payment_method, till.order.payment_token) == ("bank_transfer", None)


@pytest.mark.parametrize(
    "form",
    [
        {"choice": "other_method"},
        {"choice": "other_method", "payment_method": "credit_card"},
        {"choice": "again", "payment_method": "paypal"},
    ],
)
def test_a_choice_must_fit_its_method(till: Till, form: dict[str, str]) -> None:
    """Another method must be named and be another one; “again” keeps the method. The field is named."""
    with pytest.raises(Problem) as problem:
        forms.resolve(till.call(), form)

    assert [error.field for error in problem.value.errors] == ["/payment_method"]
    assert till.order.payment_method == "credit_card"


def test_again_may_bring_another_card(till: Till) -> None:
    """A new token replaces the declined one; without one the old is tried again."""
    forms.resolve(till.call(), {"choice": "again"})
    assert till.order.payment_token == "tok_declined"

    forms.resolve(till.call(), {"choice": "again", "payment_token": "tok_good", "note": "She has a new card."})
    till.capture()

    assert till.books == TOTAL


def test_the_person_sees_what_is_due_and_why(till: Till) -> None:
    """Amounts, method and the provider's words stand above the form, and its example can be sent as it is."""
    with pytest.raises(Refused):
        till.capture()

    context = forms.resolve_form(till.call())

    facts = {fact.label: fact.value for fact in context.facts}
    assert facts["Still due"] == "€119.00"
    assert facts["What was said last"] == "The card was declined."
    assert [c.label for c in context.choices["payment_method"]] == ["Credit Card", "PayPal", "Bank Transfer"]
    forms.resolve(till.call(), context.example)


# --- refund by hand --------------------------------------------------------------------------------------------------


def refused_refund(till: Till) -> None:
    till.order.payment_token = "tok_refund_refused"
    till.session.flush()
    till.capture()
    till.credit("all")
    with pytest.raises(Refused):
        till.refund()


def test_a_refund_by_hand_settles_what_was_owed(till: Till) -> None:
    """A person paid back another way: reference and note are on record, and nothing is paid back again."""
    refused_refund(till)

    result = forms.record_refund(till.call(), {"reference": "SEPA-7", "note": "Her other account."})

    assert result == {"status": "by_hand", "amount": TOTAL}
    row = till.session.scalars(select(Payment).order_by(Payment.id.desc())).first()
    assert row is not None
    assert (row.kind, row.method, row.state, row.reference) == ("refund", "by_hand", "done", "SEPA-7")
    assert till.refund() == {"status": "nothing_owed", "amount": 0}
    assert till.balance.settled


def test_a_refund_by_hand_is_recorded_once(till: Till) -> None:
    """Nothing is owed any more: a second form adds no second refund."""
    refused_refund(till)
    forms.record_refund(till.call(), {"reference": "SEPA-7"})

    assert forms.record_refund(till.call(), {"reference": "SEPA-8"})["amount"] == 0
    assert till.balance.refunded == TOTAL


def test_a_refund_by_hand_waits_until_it_is_known_what_was_refused(till: Till) -> None:
    """While it is being found out which of several refunds was refused, the form says so and books nothing."""
    for amount, token in ((9_000, "tok_refund_refused"), (2_900, None)):
        till.transfer(amount, token=token)
        till.prepare("payment.capture", method="bank_transfer")
    till.credit("all")
    with pytest.raises(Refused):
        till.refund()

    with pytest.raises(Problem, match="found out"):
        forms.record_refund(till.call(), {"reference": "SEPA-7"})
    till.run_queued("payment.confirm_refunds")

    facts = {fact.label: fact.value for fact in forms.refund_form(till.call()).facts}
    assert facts["To pay back"] == "€90.00"
    assert forms.record_refund(till.call(), {"reference": "SEPA-7"})["amount"] == 9_000


def test_the_person_sees_how_much_to_pay_back_to_whom(till: Till) -> None:
    """Amount, customer and the reason stand above the form, and its example can be sent as it is."""
    refused_refund(till)

    context = forms.refund_form(till.call())

    facts = {fact.label: fact.value for fact in context.facts}
    assert (facts["To pay back"], facts["Customer"]) == ("€119.00", "Erika Muster")
    assert "takes no refunds" in facts["Why it was refused"]
    forms.record_refund(till.call(), context.example)
    assert till.balance.settled


# --- gate 8 ----------------------------------------------------------------------------------------------------------


def test_the_approver_signs_invoice_and_money(till: Till) -> None:
    """Exactly what was invoiced and what came for it, as plain values."""
    till.order.payment_token = None
    till.session.flush()
    reference = till.capture()["reference"]

    assert forms.submission(till.call()) == {
        "order": "WB-10001",
        "customer": "Erika Muster",
        "invoice": "INV-2026-0001",
        "lines": [
            {
                "sku": "product-a",
                "name": "Product-A",
                "quantity": 4,
                "unit_price": {"amount": 2500, "currency": "EUR"},
                "discount": {"amount": 0, "currency": "EUR"},
                "net": {"amount": 10_000, "currency": "EUR"},
            }
        ],
        "discount": {"amount": 0, "currency": "EUR"},
        "tax": {"name": "VAT", "rate": "19%", "amount": {"amount": 1900, "currency": "EUR"}},
        "total": {"amount": TOTAL, "currency": "EUR"},
        "captured": [{"method": "credit_card", "reference": reference, "amount": {"amount": TOTAL, "currency": "EUR"}}],
        "due": {"amount": 0, "currency": "EUR"},
    }


def test_what_is_signed_does_not_change_by_itself(till: Till, clock: MovableClock) -> None:
    """Days pass and what was paid over is returned: the signed page stays fresh."""
    till.transfer(TOTAL + 500)
    till.capture("bank_transfer")
    before = forms.submission(till.call())

    clock.advance(days=3)
    till.run_queued("payment.refund")

    assert forms.submission(till.call()) == before
