"""Step 7 and paying back: on the balance, so nothing is charged or paid back twice, whatever is repeated or lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from handlers.contract import Refused, TryAgain
from handlers.payments.embedded import Fault
from handlers.tables import Mail
from tests.conftest import MovableClock
from tests.till import Till, sell


@pytest.fixture
def till(session: Session, clock: MovableClock, tmp_path: Path) -> Till:
    """An order over 100.00 and 19 % tax, invoiced."""
    sell(session, clock, {"product-a": (4, 2500)})
    till = Till(session, clock, tmp_path)
    till.invoice()
    till.queued.clear()
    return till


TOTAL = 11_900


def with_token(till: Till, token: str) -> None:
    till.order.payment_token = token
    till.session.flush()


# --- cards and PayPal ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["credit_card", "paypal"])
def test_what_is_due_is_authorised_and_captured(till: Till, method: str) -> None:
    """The whole amount is taken, and both movements are written down with the provider's references."""
    result = till.capture(method)

    assert result["status"] == "captured"
    assert result["reference"].startswith("CAP-")
    assert till.rows == [("authorise", "done", TOTAL), ("capture", "done", TOTAL)]
    assert till.balance.due == 0
    assert till.books == TOTAL


def test_a_send_back_charges_nothing_twice(till: Till) -> None:
    """Captured again on a later visit: nothing is due, so the provider is not even asked."""
    till.capture()

    again = till.capture()

    assert again == {"status": "nothing_due", "reference": None}
    assert till.books == TOTAL
    assert len(till.rows) == 2


def test_only_what_a_larger_invoice_adds_is_taken(till: Till) -> None:
    """The order grew after it was paid: the second capture takes the difference."""
    till.capture()
    till.order.lines[0].quantity = 6
    till.session.flush()
    till.invoice()

    till.capture()

    assert till.rows[-1] == ("capture", "done", 5950)
    assert till.books == till.balance.owed == 17_850


def test_what_a_smaller_invoice_leaves_goes_back(till: Till) -> None:
    """The order shrank after it was paid: step 7 has nothing to take and sends the rest back by itself."""
    till.capture()
    till.order.lines[0].quantity = 1
    till.session.flush()
    till.invoice()

    till.capture()
    till.run_queued("payment.refund")

    assert till.books == till.balance.owed == 2975
    assert till.balance.settled


def test_the_intent_is_written_before_the_provider_is_asked(till: Till) -> None:
    """A capture under way is visible as pending and counts for nothing yet."""
    till.prepare("payment.capture", method="credit_card")

    assert till.rows == [("authorise", "pending", TOTAL), ("capture", "pending", TOTAL)]
    assert till.balance.captured == 0


def test_preparing_again_after_a_rollback_is_the_same(till: Till) -> None:
    """The command that reached the step was rolled back and repeated: one intent, the same arguments."""
    till.session.commit()
    call, first = till.prepare("payment.capture", method="credit_card")
    till.session.rollback()
    external = till.registry["payment.capture"].external
    assert external is not None

    again = external.prepare(call, method="credit_card")
    external.prepare(call, method="credit_card")

    assert (again.amount, again.order) == (first["amount"], first["order"])
    assert len(till.rows) == 2


def test_a_decline_is_a_refusal_that_the_customer_hears_of(till: Till) -> None:
    """The attempt is written down as refused with the provider's words, and nothing is charged."""
    with_token(till, "tok_insufficient_funds")

    with pytest.raises(Refused) as refusal:
        till.capture()

    assert refusal.value.code == "payment_declined"
    assert till.rows == [("authorise", "refused", TOTAL), ("capture", "refused", TOTAL)]
    assert till.balance.due == TOTAL
    mail = till.session.query(Mail).filter_by(kind="payment_declined").one()
    assert "insufficient funds" in mail.text


def test_nobody_who_cancelled_hears_of_a_decline(till: Till) -> None:
    """The order was cancelled while the provider was asked: its refusal is recorded and not mailed."""
    with_token(till, "tok_declined")
    till.variables["cancellation"] = {"reason": "changed mind"}

    with pytest.raises(Refused):
        till.capture()

    assert till.session.query(Mail).filter_by(kind="payment_declined").count() == 0


def test_a_second_attempt_is_a_new_one(till: Till) -> None:
    """Declined once, tried again on a person's word: it passes, and both attempts are on record."""
    with_token(till, "tok_declined_once")
    with pytest.raises(Refused):
        till.capture()

    till.capture()

    assert [state for _, state, _ in till.rows] == ["refused", "refused", "done", "done"]
    assert till.books == TOTAL


def test_a_declined_capture_gives_the_authorised_amount_free(till: Till) -> None:
    """Authorised, then declined: the customer's money does not stay blocked."""
    with_token(till, "tok_capture_declined")

    with pytest.raises(Refused):
        till.capture()

    assert [m.kind for m in till.provider.statement()] == ["authorise", "void"]


@pytest.mark.parametrize("token", ["tok_lost_reply", "tok_lost_reply_once_per_call", "tok_unavailable_once"])
def test_a_lost_reply_is_asked_for_again_and_charged_once(till: Till, token: str) -> None:
    """The worker tries again with the same key until it hears the answer; the money moved once."""
    with_token(till, token)
    call, frozen = till.prepare("payment.capture", method="credit_card")
    attempts = 0

    while attempts < 5:
        attempts += 1
        try:
            result = till.perform("payment.capture", call, frozen)
            break
        except TryAgain:
            continue
    till.finish("payment.capture", call, frozen, result)

    assert attempts > 1
    assert till.books == till.balance.captured == TOTAL
    assert len(till.rows) == 2


def test_performing_and_finishing_again_changes_nothing(till: Till) -> None:
    """A worker died before its answer was written down: another performs again, and both finish."""
    call, frozen = till.prepare("payment.capture", method="credit_card")
    results = [till.perform("payment.capture", call, frozen) for _ in range(2)]

    first, second = (till.finish("payment.capture", call, frozen, result) for result in results)

    assert first == second
    assert till.books == till.balance.captured == TOTAL


def test_an_unknown_method_is_our_mistake(till: Till) -> None:
    """A diagram that asks for another method is told which there are."""
    with pytest.raises(ValueError, match="credit_card, paypal, bank_transfer"):
        till.capture("cheque")


# --- bank transfers --------------------------------------------------------------------------------------------------


def test_a_transfer_counts_as_captured(till: Till) -> None:
    """The bank's report is written down under the bank's reference; nobody needs to be asked."""
    came = till.transfer(TOTAL)

    result = till.capture("bank_transfer")

    assert result == {"status": "nothing_due", "reference": None}
    assert till.rows == [("capture", "done", TOTAL)]
    assert till.balance.settled
    assert came["reference"].startswith("TRF-")


def test_a_transfer_is_known_before_any_worker_runs(till: Till) -> None:
    """It is booked in the command that takes the message, so a cancel in between cannot lose it."""
    till.transfer(TOTAL)

    till.prepare("payment.capture", method="bank_transfer")

    assert till.balance.captured == TOTAL


def test_a_transfer_is_counted_once(till: Till) -> None:
    """The same transfer seen on a later visit adds nothing."""
    till.transfer(TOTAL)
    till.capture("bank_transfer")

    till.capture("bank_transfer")

    assert till.balance.captured == TOTAL


def test_too_little_is_kept_and_a_person_decides(till: Till) -> None:
    """What came counts; what is missing is said; the next transfer completes it."""
    till.transfer(9_000)
    with pytest.raises(Refused, match=r"€29\.00 is still missing") as refusal:
        till.capture("bank_transfer")
    assert refusal.value.code == "payment_declined"
    assert till.balance.due == 2_900

    till.transfer(2_900)
    till.capture("bank_transfer")

    assert till.balance.settled
    assert till.session.query(Mail).filter_by(kind="payment_declined").count() == 0


def test_too_little_can_be_completed_by_card(till: Till) -> None:
    """After a part came by transfer another method takes the rest, not the whole."""
    till.transfer(9_000)
    with pytest.raises(Refused):
        till.capture("bank_transfer")

    till.capture("credit_card")

    assert till.rows[-1] == ("capture", "done", 2_900)
    assert till.books == TOTAL


def test_too_much_goes_back(till: Till) -> None:
    """What was paid over is returned by itself."""
    till.transfer(TOTAL + 500)
    till.capture("bank_transfer")

    till.run_queued("payment.refund")

    assert till.rows[-1] == ("refund", "done", 500)
    assert till.balance.settled
    assert till.books == TOTAL


def test_another_currency_does_not_count(till: Till) -> None:
    """Money in another currency is on record, not in the balance, and the person is told to return it."""
    till.transfer(TOTAL, currency="USD")

    with pytest.raises(Refused, match="came in USD, not EUR"):
        till.capture("bank_transfer")

    assert till.rows == [("capture", "refused", TOTAL)]
    assert till.balance.due == TOTAL


@pytest.mark.parametrize(
    "transfer",
    [
        {},
        {"amount": "119.00", "currency": "EUR", "reference": "X"},
        {"amount": -1, "currency": "EUR", "reference": "X"},
        {"amount": True, "currency": "EUR", "reference": "X"},
        {"amount": 5, "currency": "EUR", "reference": ""},
        {"amount": 5, "currency": "EUR", "reference": "X" * 101},
        {"amount": 5, "currency": "euro", "reference": "X"},
    ],
)
def test_a_report_that_cannot_be_read_goes_to_a_person(till: Till, transfer: dict[str, object]) -> None:
    """Nothing is guessed: the bank's report is refused with what it needs."""
    till.variables["transfer"] = transfer

    with pytest.raises(Refused, match="cannot be read"):
        till.capture("bank_transfer")


# --- paying back -----------------------------------------------------------------------------------------------------


def test_a_cancelled_order_gets_all_of_its_money_back(till: Till) -> None:
    """Credited whole, paid back whole; asked again there is nothing left to pay."""
    till.capture()
    till.credit("all")

    assert till.refund() == {"status": "refunded", "amount": TOTAL}
    assert till.refund() == {"status": "nothing_owed", "amount": 0}
    assert till.books == 0
    assert till.balance.settled


def test_only_what_is_no_longer_owed_is_paid_back(till: Till) -> None:
    """A part was lost: its price goes back, the rest stays."""
    till.capture()
    till.credit("part", product_a=1)

    assert till.refund()["amount"] == 2975
    assert till.books == till.balance.owed == TOTAL - 2975


def test_where_nothing_was_paid_nothing_goes_back(till: Till) -> None:
    """Cancelled before step 7: no request, no row."""
    till.credit("all")

    assert till.refund() == {"status": "nothing_owed", "amount": 0}
    assert till.provider.statement() == []


def test_an_order_that_was_never_taken_has_nothing_to_undo(
    session: Session, clock: MovableClock, tmp_path: Path
) -> None:
    """Cancelled at step 1, before there is an order: the undo path finds nothing and goes on."""
    empty = Till(session, clock, tmp_path)

    assert empty.credit("all") == {"number": None, "total": 0}
    assert empty.refund() == {"status": "nothing_owed", "amount": 0}


def test_the_newest_capture_is_paid_back_first(till: Till) -> None:
    """Paid in two transfers, a part credited: the later transfer is returned before the earlier one is touched."""
    for amount in (9_000, 2_900):
        till.transfer(amount)
        till.prepare("payment.capture", method="bank_transfer")
    till.credit("part", product_a=2)

    till.refund()

    assert till.rows[-2:] == [("refund", "done", 2_900), ("refund", "done", 3_050)]
    till.credit("all")
    till.refund()
    assert till.books == 0


def test_a_capture_that_ends_after_the_cancel_is_paid_back(till: Till) -> None:
    """Cancelled while the provider was asked: the capture is recorded though its token is gone, then returned."""
    call, frozen = till.prepare("payment.capture", method="credit_card")
    result = till.perform("payment.capture", call, frozen)

    till.finish("payment.capture", call, frozen, result)
    till.credit("all")
    till.refund()

    assert till.books == 0
    assert till.balance.settled


def test_a_capture_that_never_began_is_forgotten(till: Till) -> None:
    """Cancelled before a worker took the capture: its intent ends, and no money was ever asked for."""
    till.prepare("payment.capture", method="credit_card")
    till.credit("all")

    till.refund()

    assert till.rows == [("authorise", "refused", TOTAL), ("capture", "refused", TOTAL)]
    assert till.provider.statement() == []


def test_a_lost_reply_to_a_refund_pays_back_once(till: Till) -> None:
    """The refund is done and its reply lost: asked again with the same key it answers."""
    with_token(till, "tok_lost_reply_once_per_call")
    call, frozen = till.prepare("payment.capture", method="credit_card")
    for _ in range(2):
        with pytest.raises(TryAgain):
            till.perform("payment.capture", call, frozen)
    till.finish("payment.capture", call, frozen, till.perform("payment.capture", call, frozen))
    till.credit("all")

    call, frozen = till.prepare("payment.refund")
    with pytest.raises(TryAgain):
        till.perform("payment.refund", call, frozen)
    assert till.balance.refunding == TOTAL
    till.finish("payment.refund", call, frozen, till.perform("payment.refund", call, frozen))

    assert till.books == 0
    assert till.balance.settled


def test_a_refund_under_way_is_not_paid_a_second_time(till: Till) -> None:
    """While one refund is asked for, another visit counts it as paid."""
    till.capture()
    till.credit("all")
    first, frozen = till.prepare("payment.refund")

    assert till.refund() == {"status": "nothing_owed", "amount": 0}
    till.finish("payment.refund", first, frozen, till.perform("payment.refund", first, frozen))

    assert till.books == 0


def test_a_part_under_way_is_not_paid_a_second_time(till: Till) -> None:
    """The same for a part: there would be enough captured to pay it twice."""
    till.capture()
    till.credit("part", product_a=1)
    till.prepare("payment.refund")

    assert till.refund() == {"status": "nothing_owed", "amount": 0}


def test_what_is_under_way_is_not_asked_of_the_same_capture_again(till: Till) -> None:
    """More is owed back while a first refund is under way: the rest is taken from what is left of each capture."""
    for amount in (9_000, 2_900):
        till.transfer(amount)
        till.prepare("payment.capture", method="bank_transfer")
    till.credit("part", product_a=2)
    till.prepare("payment.refund")
    till.credit("all")

    till.refund()

    assert till.rows[-1] == ("refund", "done", 5_950)
    assert till.balance.refunding == 5_950


def test_a_refused_refund_stays_owed(till: Till) -> None:
    """The provider will not pay back: it is on record, and still owed."""
    with_token(till, "tok_refund_refused")
    till.capture()
    till.credit("all")

    with pytest.raises(Refused) as refusal:
        till.refund()

    assert refusal.value.code == "refund_refused"
    assert till.rows[-1] == ("refund", "refused", TOTAL)
    assert till.balance.owed_back == TOTAL


def test_of_several_refunds_the_refused_one_is_found_out(till: Till) -> None:
    """One of two transfers cannot be returned: the other is, once, and exactly the refused one stays owed."""
    till.transfer(9_000, token="tok_refund_refused")
    till.prepare("payment.capture", method="bank_transfer")
    till.transfer(2_900)
    till.capture("bank_transfer")
    till.credit("all")

    with pytest.raises(Refused):
        till.refund()
    assert till.balance.refunding == TOTAL
    till.run_queued("payment.confirm_refunds")

    assert till.rows[-2:] == [("refund", "done", 2_900), ("refund", "refused", 9_000)]
    assert till.balance.owed_back == till.books == 9_000


def test_the_provider_may_be_away_in_the_middle(till: Till) -> None:
    """It fails between two refunds: tried again, each is paid back once."""
    for amount in (9_000, 2_900):
        till.transfer(amount)
        till.prepare("payment.capture", method="bank_transfer")
    till.credit("all")
    call, frozen = till.prepare("payment.refund")
    bad_days = [None, Fault.UNAVAILABLE, Fault.LOST_REPLY, None, None]
    till.provider.faults = lambda method, key: bad_days.pop(0)

    for _ in range(2):
        with pytest.raises(TryAgain):
            till.perform("payment.refund", call, frozen)
    till.finish("payment.refund", call, frozen, till.perform("payment.refund", call, frozen))

    assert till.books == 0
    assert till.balance.settled
