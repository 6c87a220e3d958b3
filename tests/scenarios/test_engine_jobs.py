"""Jobs: leases, fences, retries, and what a person may do about them. Due times of tasks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from engine.errors import NotFound
from engine.jobs import Claim
from engine.store.tables import Job
from engine.views import Actor
from tests.scenarios.conftest import SQLITE_ONLY
from tests.scenarios.shop import PEOPLE, Shop
from tests.scenarios.test_cancelling import claim_of, in_capture

OWNER = Actor("owner", frozenset({"owner"}), sees_all=True)


def lease_ends(shop: Shop, claim: Claim) -> None:
    """The worker of this job died, or sleeps longer than its lease."""
    with shop.engine.transaction() as session:
        session.execute(update(Job).where(Job.id == claim.id)
                        .values(lease_until=datetime.now(UTC) - timedelta(seconds=1)))


def test_a_job_is_held_by_one_worker(shop: Shop) -> None:
    """While a lease lasts nobody else gets the job."""
    in_capture(shop)
    claim = claim_of(shop, "payment.capture")

    while (other := shop.engine.claim_next()) is not None:
        assert other.id != claim.id
        shop.engine.run_job(other)


def test_a_job_whose_worker_died_is_taken_over(shop: Shop) -> None:
    """After the lease another worker takes it, with the same key and a newer fence."""
    order = in_capture(shop)
    dead = claim_of(shop, "payment.capture")
    lease_ends(shop, dead)

    again = claim_of(shop, "payment.capture")

    assert (again.id, again.key, again.fence) == (dead.id, dead.key, dead.fence + 1)
    shop.engine.run_job(again)
    shop.works()
    assert order.open_elements() == ["approve_payment"]


def test_a_worker_that_wakes_too_late_is_ignored(shop: Shop) -> None:
    """Two workers did the same: it counts once, in the provider's books and in ours."""
    order = in_capture(shop)
    zombie = claim_of(shop, "payment.capture")
    lease_ends(shop, zombie)
    shop.engine.run_job(claim_of(shop, "payment.capture"))
    shop.works()
    events = len(order.history())

    shop.engine.run_job(zombie)

    assert len(order.history()) == events
    assert order.open_elements() == ["approve_payment"]
    assert order.money()["captured"] == order.money()["invoiced"]
    assert shop.parts.ports.payments.balances() == {order.number: order.money()["invoiced"]}


def test_a_worker_that_wakes_too_late_breaks_nothing_by_failing(shop: Shop) -> None:
    """Its failure is as void as its success."""
    order = in_capture(shop)
    zombie = claim_of(shop, "payment.capture")
    lease_ends(shop, zombie)
    shop.engine.run_job(claim_of(shop, "payment.capture"))

    shop.engine._fail(zombie, "too late", allowed=1)

    assert not order.incidents()


def test_a_job_that_keeps_killing_its_worker_becomes_an_incident(shop: Shop) -> None:
    """Whoever takes it dies: after the last attempt nobody takes it any more, and people see it."""
    order = in_capture(shop)
    claim = claim_of(shop, "payment.capture")
    for _ in range(claim.max_attempts):
        lease_ends(shop, claim)
        while (other := shop.engine.claim_next()) is not None and other.id != claim.id:
            shop.engine.run_job(other)
        if other is None:
            break

    [incident] = order.incidents()
    assert incident.operation == "payment.capture"
    shop.engine.retry(incident.id, OWNER)
    shop.works()
    assert order.open_elements() == ["approve_payment"]


@SQLITE_ONLY
def test_a_retry_of_what_is_not_there_says_so(shop: Shop) -> None:
    """NotFound, not a crash."""
    with pytest.raises(NotFound):
        shop.engine.retry("nothing", OWNER)


def test_it_is_seen_when_nobody_works(shop: Shop) -> None:
    """A job that waits for over a minute while no worker holds any: the workers are gone, not busy."""
    in_capture(shop)
    assert not shop.engine.nobody_works()

    shop.clock.advance(seconds=61)
    assert shop.engine.nobody_works()

    claim = shop.engine.claim_next()
    assert claim is not None
    assert not shop.engine.nobody_works()
    lease_ends(shop, claim)
    assert shop.engine.nobody_works()


def test_one_job_is_claimed_by_its_id(shop: Shop) -> None:
    """Only when it is due and nobody holds it; others that are due longer do not matter."""
    order = in_capture(shop)
    [capture] = [job for job in shop.engine.jobs(state="ready").items if job.operation == "payment.capture"]
    [reminder, *_] = [job for job in shop.engine.jobs(state="done").items if job.order == order.number]

    claim = shop.engine.claim_job(capture.id)

    assert claim is not None
    assert claim.id == capture.id
    assert shop.engine.claim_job(capture.id) is None, "it is held"
    assert shop.engine.claim_job(reminder.id) is None, "it is done"
    lease_ends(shop, claim)
    again = shop.engine.claim_job(capture.id)
    assert again is not None
    assert again.fence == claim.fence + 1


def test_an_idle_worker_leaves_nothing_behind(shop: Shop) -> None:
    """Nothing due: no claim, and the next due time is known."""
    order = shop.places_order()

    assert shop.engine.claim_next() is None
    assert shop.engine.next_due() == order.task("approve_reservation").due_at


# --- due times


def test_a_task_is_reminded_of_when_it_falls_due(shop: Shop) -> None:
    """The reminder stands in the history with whom it concerns."""
    order = shop.places_order().goes_to("prepare_shipment")
    shop.engine.claim(order.task("prepare_shipment").id, PEOPLE["warehouse"])

    shop.time_passes(hours=8)

    [reminder] = [e for e in order.history() if e.kind == "reminder"]
    assert (reminder.element, reminder.detail["assignee"]) == ("prepare_shipment", "warehouse")
    assert order.task("prepare_shipment").priority == 0


def test_a_task_is_escalated_when_as_much_time_again_has_passed(shop: Shop) -> None:
    """It gets priority, and the history says to whom it was escalated."""
    order = shop.places_order().goes_to("prepare_shipment")

    shop.time_passes(hours=8)
    shop.time_passes(hours=8)

    [escalated] = [e for e in order.history() if e.kind == "escalated"]
    assert escalated.detail["to"] == "owner"
    assert order.task("prepare_shipment").priority == 1


def test_nobody_is_reminded_of_what_is_done(shop: Shop) -> None:
    """The reminder goes with its task."""
    order = shop.places_order().goes_to("prepare_shipment")
    order.goes_to("package_products")

    shop.time_passes(hours=7)
    order.does("package_products")
    shop.time_passes(hours=3)

    assert [e for e in order.history() if e.kind == "reminder" and e.element != "confirm_pickup"] == []
