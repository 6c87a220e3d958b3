"""Clocks that are set forward or back by hours: no job is lost or done twice, and none waits for the clock to recover.

Two clocks matter: the machine's (PostgreSQL: the database's), by which leases are measured, and the engine's, by which
jobs, timers and due times fall due. In a real installation both are set at once; here each is moved by itself.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from engine import Engine
from engine.jobs import LEASE
from engine.store.tables import Event, Instance
from handlers.payments.embedded import Fault
from tests.clock import MovableClock
from tests.scenarios.conftest import Outside
from tests.scenarios.shop import PEOPLE, OrderHandle, Shop
from tests.scenarios.test_cancelling import claim_of, in_capture

HOURS = 5


@pytest.fixture
def machine(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> MovableClock:
    """The clock that leases are measured by."""
    clock = MovableClock(datetime.now(UTC))
    monkeypatch.setattr(shop.parts.database, "lock_clock", lambda _session: clock.now())
    return clock


def charged_once(shop: Shop, order: OrderHandle) -> bool:
    owed = order.money()["invoiced"]
    return order.money()["captured"] == owed and shop.parts.ports.payments.balances() == {order.number: owed}


# --- the machine's clock: leases


def test_a_dead_workers_job_does_not_wait_for_a_clock_that_was_set_back(shop: Shop, machine: MovableClock) -> None:
    """The lease seems to last for hours; the job is taken over at once, with the same key."""
    order = in_capture(shop)
    dead = claim_of(shop, "payment.capture")
    machine.advance(hours=-HOURS)

    again = claim_of(shop, "payment.capture")

    assert (again.id, again.key, again.fence) == (dead.id, dead.key, dead.fence + 1)
    shop.engine.run_job(again)
    shop.works()
    assert charged_once(shop, order)


def test_a_clock_that_is_put_right_a_little_takes_no_job_away(shop: Shop, machine: MovableClock) -> None:
    """Clocks are corrected by parts of a second all the time; a worker keeps what it holds."""
    in_capture(shop)
    held = claim_of(shop, "payment.capture")

    for _ in range(4):
        machine.advance(seconds=-1)
        while (other := shop.engine.claim_next()) is not None:
            assert other.id != held.id
            shop.engine.run_job(other)


@pytest.mark.parametrize("hours", [HOURS, -HOURS])
def test_a_worker_that_works_while_the_clock_is_set_loses_its_job_and_nothing_else(
    shop: Shop, machine: MovableClock, hours: int
) -> None:
    """Another takes the job over and finishes it; the first one's answer is void: one charge, one line."""
    order = in_capture(shop)
    first = claim_of(shop, "payment.capture")
    machine.advance(hours=hours)
    shop.engine.run_job(claim_of(shop, "payment.capture"))
    shop.works()
    told = len(order.history())

    shop.engine.run_job(first)

    assert len(order.history()) == told
    assert charged_once(shop, order)


def test_leases_are_measured_as_usual_after_the_clock_was_set_back(shop: Shop, machine: MovableClock) -> None:
    """Who takes a job now holds it for a whole lease, and no longer."""
    machine.advance(hours=-HOURS)
    in_capture(shop)
    held = claim_of(shop, "payment.capture")
    machine.advance(seconds=LEASE.total_seconds() - 1)
    while (other := shop.engine.claim_next()) is not None:
        assert other.id != held.id
        shop.engine.run_job(other)

    machine.advance(seconds=2)

    assert claim_of(shop, "payment.capture").id == held.id


# --- the engine's clock: what is due


def test_work_that_was_due_stays_due_when_the_clock_is_set_back(shop: Shop) -> None:
    """Queued at noon by a clock that is five hours fast: it is done when the clock is put right, not at noon."""
    shop.works()
    shop.clock.advance(hours=HOURS)
    order = in_capture(shop)
    shop.clock.advance(hours=-HOURS)

    shop.works()

    assert order.open_elements() == ["approve_payment"]
    assert charged_once(shop, order)


def test_work_that_was_due_stays_due_when_the_clock_was_set_back_while_nobody_worked(shop: Shop) -> None:
    """As before, and the worker was started only afterwards."""
    shop.clock.advance(hours=HOURS)
    order = in_capture(shop)
    shop.clock.advance(hours=-HOURS)
    engine = Engine(shop.engine.database, shop.engine.registry, shop.clock)

    engine.work(limit=100)

    assert order.open_elements() == ["approve_payment"]


def test_a_job_that_failed_is_tried_again_soon_although_the_clock_was_set_back(shop: Shop, outside: Outside) -> None:
    """Its next attempt was to be in a second, by the fast clock."""
    order = in_capture(shop)
    shop.clock.advance(hours=HOURS)
    outside.payment_fault = lambda _method, _key: Fault.UNAVAILABLE
    shop.works()
    assert order.open_elements() == []
    outside.payment_fault = None
    shop.clock.advance(hours=-HOURS)

    shop.works()

    assert order.open_elements() == ["approve_payment"]
    assert charged_once(shop, order)


def test_a_call_that_was_first_made_by_a_clock_days_ahead_asks_what_was_done(shop: Shop, outside: Outside) -> None:
    """By the clock that was put right the key is not even in use yet; the provider has forgotten it."""
    provider: Any = shop.parts.ports.payments
    real = MovableClock(shop.clock.now())
    provider._clock = provider.ledger._clock = real
    shop.works()
    shop.clock.advance(days=5)
    order = in_capture(shop)
    outside.payment_fault = lambda method, _key: Fault.LOST_REPLY if method == "capture" else None
    shop.works()
    outside.payment_fault = None

    real.advance(days=2)
    shop.clock.advance(days=-3)
    assert shop.clock.now() == real.now()
    shop.works()

    assert order.open_elements() == ["approve_payment"]
    assert charged_once(shop, order)


def test_timers_and_due_times_keep_the_time_for_which_they_were_set(shop: Shop) -> None:
    """A clock that goes back fires nothing early and nothing twice."""
    order = shop.places_order(payment_method="bank_transfer").goes_to("wait_for_transfer")
    other = shop.places_order().goes_to("prepare_shipment")
    due = other.task("prepare_shipment").due_at

    shop.time_passes(hours=-HOURS)
    assert "payment_reminder" not in order.mails()
    assert other.task("prepare_shipment").due_at == due
    shop.time_passes(days=3, hours=HOURS)

    assert order.mails().count("payment_reminder") == 1
    shop.time_passes(hours=-HOURS)
    shop.time_passes(hours=HOURS)
    assert order.mails().count("payment_reminder") == 1
    assert [e.kind for e in other.history() if e.element == "prepare_shipment"].count("reminder") == 1


def test_a_clock_that_is_set_forward_fires_each_timer_once(shop: Shop) -> None:
    """A reservation that was to last two days has expired, once; the order goes on from there."""
    order = shop.places_order()

    shop.time_passes(days=2, hours=HOURS)
    shop.time_passes(days=-2, hours=-HOURS)
    shop.time_passes(days=2, hours=HOURS)

    assert order.done().count("release_stock") == 1
    assert order.open_elements() == ["approve_reservation"]
    order.goes_to_its_end()
    assert order.status == "closed"


# --- the history


def test_the_history_is_in_the_order_of_what_happened_whatever_the_clock_said(shop: Shop) -> None:
    """By number, not by time: times may go back, the chain does not."""
    order = shop.places_order()
    shop.time_passes(hours=-HOURS)
    order.is_approved("approve_reservation")
    shop.time_passes(hours=2 * HOURS)
    order.goes_to("prepare_shipment")
    shop.time_passes(days=-1)
    order.goes_to_its_end()

    history = order.history()
    assert [e.seq for e in history] == list(range(1, len(history) + 1))
    times = [e.at for e in history]
    assert times != sorted(times), "the clock did go back"
    assert [step for step in order.steps() if step] == sorted(order.steps())
    assert history[-1].kind == "ended"
    assert shop.engine.verify_audit() == []
    with shop.engine.reading() as session:
        stored = session.execute(select(Event.seq).join(Instance, Instance.id == Event.instance_id).where(
            Instance.business_key == order.number).order_by(Event.seq)).scalars().all()
    assert stored == [e.seq for e in history]


def test_people_can_work_while_the_clock_is_wrong(shop: Shop) -> None:
    """Taking, keeping and completing a task need no clock that only goes forward."""
    order = shop.places_order().goes_to("prepare_shipment")
    task = order.task("prepare_shipment")
    shop.engine.claim(task.id, PEOPLE["warehouse"])
    shop.clock.advance(days=-1)

    shop.engine.save_task_draft(task.id, PEOPLE["warehouse"], {"note": "half"})
    order.does("prepare_shipment")

    assert order.open_elements() == ["package_products"]
    assert order.instance.status == "open"
