"""Incidents by cause, and resolved by hand: what a person did outside stands in the history, and the order goes on."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event, select, update

from engine.errors import Conflict, InvalidForm, NotFound
from engine.incidents import cause_of
from engine.store.tables import Job
from engine.views import Actor
from handlers.contract import GiveUp, TryAgain
from handlers.tables import Mail, Payment
from tests.scenarios.conftest import SQLITE_ONLY
from tests.scenarios.shop import PEOPLE, OrderHandle, Shop
from tests.scenarios.test_cancelling import claim_of, in_capture
from tests.scenarios.test_engine_jobs import lease_ends
from tests.scenarios.test_unforeseen import broken, faulty

OWNER = Actor("owner", frozenset({"owner"}), sees_all=True)
DONE = "Paid in the shop, receipt 4711."


def capture_dead(shop: Shop, **changes: Any) -> OrderHandle:
    """An order whose payment gave up."""
    faulty(shop, "payment.capture", "perform", GiveUp("The provider does not know our account."))
    order = in_capture(shop, **changes)
    shop.works()
    return order


def resolves(shop: Shop, order: OrderHandle, result: dict[str, Any] | None = None, reason: str = DONE) -> None:
    """The owner resolves the order's incident by hand."""
    [incident] = order.incidents()
    shop.engine.resolve(incident.id, OWNER, reason, result)
    shop.works()


# --- causes


def test_orders_stopped_by_one_cause_are_one_group(shop: Shop) -> None:
    """Order numbers, references and figures in the error make no difference; the worst cause comes first."""
    def fails(call: Any, region: str) -> Any:
        raise LookupError(f"{call.order}: shelf {call.order[-2:]} of A-QRSTUVWXYZ holds 3.5 kg too much")

    shop.replaces("inventory.check", fails)
    orders = [shop.places_order(), shop.places_order()]
    shop.replaces("inventory.check", broken)
    shop.time_passes(hours=1)
    orders.append(shop.places_order())

    first, second = shop.engine.incidents()

    assert (first.count, first.orders, second.count) == (2, 2, 1)
    assert {job.order for job in first.jobs} == {order.number for order in orders[:2]}
    assert first.cause == "inventory.check at check_availability: LookupError: #: shelf # of # holds # kg too much"
    assert (first.operation, first.element, first.step) == ("inventory.check", "check_availability", 3)
    assert first.newest < second.oldest
    assert first.jobs[0].order in first.title


def test_the_list_of_causes_is_one_statement(shop: Shop) -> None:
    """However many incidents there are."""
    shop.replaces("inventory.check", broken)
    for _ in range(3):
        shop.places_order()
    seen: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith("SELECT"):
            seen.append(statement)

    event.listen(shop.parts.database.engine, "before_cursor_execute", note)
    shop.engine.incidents()
    event.remove(shop.parts.database.engine, "before_cursor_execute", note)

    assert len(seen) == 1


def test_all_of_a_cause_are_tried_again(shop: Shop) -> None:
    """Each by itself, with its key; other causes are left alone."""
    shop.replaces("inventory.check", broken)
    orders = [shop.places_order(), shop.places_order()]
    shop.replaces("inventory.check", None)
    shop.replaces("inventory.reserve", broken)
    other = shop.places_order()
    cause = next(found.cause for found in shop.engine.incidents() if found.count == 2)
    shop.replaces("inventory.reserve", None)

    tried = shop.engine.retry_all(OWNER, cause=cause)
    shop.works()

    assert {(one.order, one.problem) for one in tried} == {(order.number, None) for order in orders}
    assert all(order.open_elements() == ["approve_reservation"] for order in orders)
    assert len(other.incidents()) == 1


def test_one_that_cannot_be_tried_again_stops_no_other(shop: Shop) -> None:
    """Somebody was faster with one of them, another never was: each has its own answer."""
    shop.replaces("inventory.check", broken)
    orders = [shop.places_order(), shop.places_order()]
    ids = [order.incidents()[0].id for order in orders]
    shop.engine.retry(ids[0], OWNER)

    tried = shop.engine.retry_all(OWNER, ids=[ids[0], "nothing", ids[1], ids[1]])

    assert [bool(one.problem) for one in tried] == [True, True, False]


@SQLITE_ONLY
def test_a_cause_is_told_by_its_work_its_place_and_its_words(shop: Shop) -> None:
    """An order without a figure in its name is taken out too."""
    job = Job(business_key="acme", operation=None, kind="timer", element="late", error="acme is late by 3 days\nmore")

    assert cause_of(job) == "timer at late: # is late by # days"
    assert cause_of(Job(business_key="a", kind="due", error=None)) == "due at no element: due gave up"


# --- resolved by hand


def test_a_payment_that_came_another_way_is_resolved_by_hand(shop: Shop) -> None:
    """The order goes on with what the person gave, the money counts, and the history says who did what and why."""
    order = capture_dead(shop)

    resolves(shop, order, {"status": "by_hand", "reference": "4711"})

    assert order.open_elements() == ["approve_payment"]
    assert order.variables["payment"] == {"status": "by_hand", "reference": "4711"}
    assert order.money()["captured"] == order.money()["invoiced"]
    [resolved] = [e for e in order.history() if e.kind == "resolved"]
    assert (resolved.actor, resolved.element) == ("owner", "capture_payment")
    assert resolved.detail["reason"] == DONE
    assert resolved.detail["result"] == {"status": "by_hand", "reference": "4711"}
    assert resolved.detail["error"] == "The provider does not know our account."
    assert "capture_payment" in order.done()
    assert order.incidents() == []
    assert shop.engine.verify_audit() == []
    order.goes_to_its_end()
    assert order.status == "closed"


def test_a_courier_that_was_telephoned_is_resolved_by_hand(shop: Shop) -> None:
    """The person gives the courier's booking number, without which nobody could hand the parcels over."""
    order = shop.places_order().goes_to("package_products")
    faulty(shop, "courier.book", "perform", GiveUp("The courier does not know our account."))
    order.does("package_products")
    [incident] = order.incidents()
    for result in (None, {"reference": " "}, {"reference": "x" * 61}):
        with pytest.raises(InvalidForm) as refused:
            shop.engine.resolve(incident.id, OWNER, "Telephoned.", result)
        assert refused.value.errors[0].field == "/result/reference"

    resolves(shop, order, {"reference": "C-4711", "tracking_number": "T-1"}, "Telephoned.")

    assert order.variables["booking"]["courier"] == "courier_c"
    assert order.open_elements() == ["confirm_pickup"]
    order.goes_to_its_end()
    assert order.status == "closed"


def test_a_step_that_fails_is_resolved_by_hand(shop: Shop) -> None:
    """A step of our own that nobody can mend: the person gives its result."""
    shipped = shop.shipped("inventory.check")
    answers: list[Any] = []

    def fails(call: Any, region: str) -> Any:
        answers.append(shipped(call, region))
        return broken()

    shop.replaces("inventory.check", fails)
    order = shop.places_order()
    [incident] = order.incidents()

    resolves(shop, order, dict(answers[0]))

    assert order.open_elements() == ["approve_reservation"]
    with pytest.raises(Conflict):
        shop.engine.retry(incident.id, OWNER)
    with pytest.raises(Conflict):
        shop.engine.resolve(incident.id, OWNER, DONE)
    assert shop.engine.job(incident.id).state == "resolved"


@SQLITE_ONLY
def test_resolving_takes_a_reason_and_an_object(shop: Shop) -> None:
    """Who says nothing is told so, and nothing is changed."""
    order = capture_dead(shop)
    [incident] = order.incidents()
    events = len(order.history())

    for reason, result, field in (("  ", None, "/reason"), ("x" * 1001, None, "/reason"), ("a\x00", None, "/reason"),
                                  (DONE, ["a"], "/result"), (DONE, {"a": float("nan")}, "/result/a")):
        with pytest.raises(InvalidForm) as refused:
            shop.engine.resolve(incident.id, OWNER, reason, result)  # type: ignore[arg-type]
        assert [fault.field for fault in refused.value.errors] == [field]
    with pytest.raises(NotFound):
        shop.engine.resolve("nothing", OWNER, DONE)

    assert len(order.history()) == events
    assert [job.id for job in order.incidents()] == [incident.id]


def test_a_worker_that_wakes_too_late_cannot_finish_what_was_resolved(shop: Shop) -> None:
    """Its result is void: the order went on with the person's."""
    order = in_capture(shop)
    zombie = claim_of(shop, "payment.capture")
    with shop.engine.transaction() as session:
        session.execute(update(Job).where(Job.id == zombie.id).values(max_attempts=1))
    lease_ends(shop, zombie)
    shop.works()
    resolves(shop, order, {"status": "by_hand"})
    events = len(order.history())

    shop.engine.run_job(zombie)
    shop.engine._fail(zombie, "too late", allowed=1)

    assert order.variables["payment"] == {"status": "by_hand", "reference": None}
    assert len(order.history()) == events
    assert order.incidents() == []


def test_what_was_performed_stands_in_the_history_when_it_is_resolved(shop: Shop) -> None:
    """The provider has the money and writing it down failed: what it answered is not lost."""
    faulty(shop, "payment.capture", "record", ZeroDivisionError("oops"))
    order = in_capture(shop)
    for _ in range(4):
        shop.time_passes(minutes=1)

    resolves(shop, order)

    [resolved] = [e for e in order.history() if e.kind == "resolved"]
    assert resolved.detail["performed"]["value"]["capture"].startswith("CAP-")


def test_a_mail_that_nobody_can_send_is_resolved_by_hand(shop: Shop) -> None:
    """Work beside the token just ends; the mail says that the customer was told another way."""
    faulty(shop, "mail.send", "perform", GiveUp("The mail server does not accept the user name and password: 535"))
    order = shop.places_order()
    before = order.open_elements()
    incident = order.incidents()[0]
    with pytest.raises(InvalidForm):
        shop.engine.resolve(incident.id, OWNER, "Called her.", {"told": True})

    shop.engine.resolve(incident.id, OWNER, "Called her.")

    assert order.open_elements() == before
    assert incident.id not in [job.id for job in order.incidents()]
    with shop.engine.reading() as session:
        assert "by_hand" in session.scalars(select(Mail.state).where(Mail.order_number == order.number)).all()


def test_a_form_that_cannot_be_taken_leaves_its_task_open(shop: Shop) -> None:
    """The incident ends; the task and the draft stay for whoever does it another way."""
    order = shop.places_order().goes_to("prepare_shipment")
    shop.replaces("shipping.prepare", broken)
    order.does("prepare_shipment", city="Potsdam")

    resolves(shop, order)

    assert order.incidents() == []
    detail = order.detail("prepare_shipment", PEOPLE["warehouse"])
    assert (detail.task.state, detail.incident, detail.draft["city"]) == ("open", None, "Potsdam")


def test_a_message_that_cannot_be_taken_is_set_aside(shop: Shop) -> None:
    """It stops the order no more, and the next one is taken."""
    order = shop.places_order().goes_to("confirm_pickup")
    booking = order.variables["booking"]["reference"]
    order.courier_reports("picked_up")
    shop.time_passes(days=4)
    shop.replaces("shipping.track", lambda call, report: {})
    order.hears("courier.reported", "r1", booking=booking, status="delivered")

    resolves(shop, order, reason="The courier says it was a mistake.")

    assert order.incidents() == []
    assert order.instance.awaits == ("courier.reported",)
    [aside] = [e for e in order.history() if e.kind == "set_aside"]
    assert aside.detail["id"] == "r1"
    shop.replaces("shipping.track", None)
    order.courier_reports("delivered")
    assert order.open_elements() == ["prepare_next"]
    assert shop.engine.message_of("test", "r1").state == "set_aside"


def test_a_timer_on_the_border_of_a_step_is_resolved_by_hand(shop: Shop) -> None:
    """It does not fire any more; the step goes on without it."""
    order = shop.places_order()
    shop.replaces("inventory.release", broken)
    timer = next(job for job in shop.engine.jobs(order=order.number).items if job.kind == "timer")
    with shop.engine.transaction() as session:
        session.execute(update(Job).where(Job.id == timer.id).values(state="dead", error="It failed."))

    resolves(shop, order)
    shop.time_passes(days=2)

    assert order.open_elements() == ["approve_reservation"]


def test_an_order_whose_call_was_resolved_can_be_undone(shop: Shop) -> None:
    """Cancelled while a call hangs dead, the undo waits for it; resolved by hand, it runs."""
    before = shop.shelves()
    order = capture_dead(shop)
    shop.engine.cancel(order.number, PEOPLE["sales"], "Changed her mind.")
    shop.works()
    assert order.status == "cancelling"
    with shop.engine.reading() as session:
        assert session.query(Payment).filter_by(order_number=order.number, state="pending").count() == 2

    resolves(shop, order)

    assert order.status == "cancelled"
    assert order.money()["captured"] == order.money()["refunded"]
    assert shop.shelves() == before


def test_a_refund_that_the_provider_cannot_make_is_paid_by_hand(shop: Shop) -> None:
    """The person paid it back another way: the order is undone and owes nobody anything."""
    before = shop.shelves()
    order = shop.places_order().goes_to("approve_payment")
    faulty(shop, "payment.refund", "perform", TryAgain("503"))
    order.is_cancelled()
    for _ in range(16):
        shop.time_passes(minutes=15)

    resolves(shop, order)

    assert order.status == "cancelled"
    assert order.money()["refunded"] == order.money()["captured"]
    assert shop.shelves() == before
    with shop.engine.reading() as session:
        [refund] = session.query(Payment).filter_by(order_number=order.number, kind="refund").all()
    assert (refund.state, refund.method, refund.message) == ("done", "by_hand", DONE)
    assert order.mails().count("cancelled") == 1
