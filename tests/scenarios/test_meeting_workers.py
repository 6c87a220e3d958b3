"""A person's command and a worker meet on one order: whoever comes second sees what the first has done."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from sqlalchemy.orm import Session

from tests.scenarios.conftest import POSTGRES
from tests.scenarios.shop import PEOPLE, OrderHandle, Shop
from tests.scenarios.test_cancelling import assert_undone, claim_of, in_capture
from tests.scenarios.test_engine_jobs import lease_ends
from tests.scenarios.test_messages_nobody_takes import blocked
from tests.scenarios.test_unforeseen import OWNER, broken


@pytest.mark.parametrize("database", [POSTGRES], indirect=True)
def test_a_capture_that_is_taken_up_while_the_order_is_cancelled_is_awaited(shop: Shop) -> None:
    """The worker's claim is written and not committed yet: the cancellation waits for it, and then for its answer."""
    before = shop.shelves()
    order = in_capture(shop)
    [job] = [job for job in shop.engine.jobs(state="ready").items if job.operation == "payment.capture"]
    with ThreadPoolExecutor(1) as pool:
        with shop.engine.transaction() as taking:
            with patch.object(shop.engine, "transaction", lambda: nullcontext(taking)):
                claim = shop.engine.claim_job(job.id)
            taking.flush()
            cancelled = pool.submit(shop.engine.cancel, order.number, PEOPLE["sales"], "Changed her mind.")
            blocked(shop, "UPDATE job")
        cancelled.result()

    shop.works()
    assert order.status == "cancelling", "the undo waits for the answer"
    assert claim is not None
    shop.engine.run_job(claim)
    shop.works()

    assert order.money()["captured"] > 0
    assert_undone(shop, order, before)


def test_a_worker_that_waited_for_the_database_takes_no_job_from_the_one_that_came_first(shop: Shop) -> None:
    """Both saw that a worker had died. One got the database ten seconds later: the job has a living worker by then."""
    engine, database = shop.engine, shop.parts.database
    in_capture(shop)
    dead = claim_of(shop, "payment.capture")
    lease_ends(shop, dead)
    transaction, clock = engine.transaction, database.lock_clock
    first = []

    def busy_until_another_has_come() -> AbstractContextManager[Session]:
        database.lock_clock = lambda session: clock(session) + timedelta(seconds=10)  # type: ignore[method-assign]
        engine.transaction = transaction  # type: ignore[method-assign]
        first.append(engine.claim_job(dead.id))
        return transaction()

    engine.transaction = busy_until_another_has_come  # type: ignore[assignment, method-assign]
    second = engine.claim_job(dead.id)

    assert [claim.fence for claim in first if claim] == [dead.fence + 1]
    assert second is None


def kept_form(shop: Shop) -> tuple[OrderHandle, Any]:
    """An order whose form could not be taken, and the incident that keeps it."""
    order = shop.places_order().goes_to("prepare_shipment")
    shop.replaces("shipping.prepare", broken)
    order.does("prepare_shipment", city="Potsdam")
    [incident] = order.incidents()
    return order, incident


@pytest.mark.parametrize("taken_up", [False, True])
def test_a_form_that_is_given_anew_takes_the_place_of_one_that_is_being_tried_again(
    shop: Shop, taken_up: bool
) -> None:
    """The retry of the older input was asked for, and perhaps begun: what the person gave last is what counts."""
    order, incident = kept_form(shop)
    shop.engine.retry(incident.id, OWNER)
    claim = shop.engine.claim_job(incident.id) if taken_up else None
    task = order.task("prepare_shipment")
    form = order.detail("prepare_shipment", PEOPLE["warehouse"]).form["examples"][0]
    shop.engine.complete(task.id, PEOPLE["warehouse"], {**form, "city": "Werder"})  # fails as well
    shop.replaces("shipping.prepare", None)

    if claim is not None:
        shop.engine.run_job(claim)
    shop.works()

    assert order.open_elements() == ["prepare_shipment"]
    [incident] = order.incidents()
    shop.engine.retry(incident.id, OWNER)
    shop.works()
    assert order.open_elements() == ["package_products"]
    assert order.row().city == "Werder"


def test_a_form_that_passes_meanwhile_leaves_no_incident_of_its_retry(shop: Shop) -> None:
    """A worker has just taken the retry up when the person gives the form anew, and it is taken."""
    order, incident = kept_form(shop)
    shop.engine.retry(incident.id, OWNER)
    claim = shop.engine.claim_job(incident.id)
    assert claim is not None
    shop.replaces("shipping.prepare", None)
    form = order.detail("prepare_shipment", PEOPLE["warehouse"]).form["examples"][0]
    shop.engine.complete(order.task("prepare_shipment").id, PEOPLE["warehouse"], {**form, "city": "Werder"})

    shop.engine.run_job(claim)
    shop.time_passes(minutes=10)

    assert order.incidents() == []
    assert order.row().city == "Werder"


def test_decisions_of_two_approvers_are_both_kept(shop: Shop) -> None:
    """Neither could be taken. Each is an incident of its own, and tried again both sign."""
    gate = "approve_reservation"
    order = shop.places_order(items=[{"sku": "product-b", "quantity": 60}])
    task = order.task(gate)
    approval = order.detail(gate, PEOPLE["stock-approver"]).approval
    assert approval is not None
    assert approval.need == 2
    shop.replaces("inventory.submission", broken)
    for name in ("stock-approver", "stock-approver-2", "stock-approver-2"):
        shop.engine.decide(task.id, PEOPLE[name], "approve", comment=name, snapshot=approval.snapshot)
    shop.replaces("inventory.submission", None)

    assert len(order.incidents()) == 2
    for incident in order.incidents():
        shop.engine.retry(incident.id, OWNER)
    shop.works()

    assert sorted(order.variables[gate]["signed_by"]) == ["stock-approver", "stock-approver-2"]
    assert order.incidents() == []
