"""The database fails while orders are worked on: no order is to blame, no attempt is used up, nothing is done twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from engine.errors import DatabaseTrouble
from engine.jobs import Claim
from engine.store.tables import Job, Message
from tests.scenarios.conftest import Outside
from tests.scenarios.shop import PEOPLE, Shop
from tests.scenarios.test_cancelling import claim_of, in_capture
from tests.troubles import Trouble, away, full, read_only

TROUBLES = [full, read_only, away]


def test_a_job_that_cannot_be_finished_goes_back_with_its_result(shop: Shop, outside: Outside) -> None:
    """The provider has answered and the disk is full: the answer is kept, the attempt does not count."""
    order = in_capture(shop)
    claim = claim_of(shop, "payment.capture")
    with full(shop.parts.database):
        shop.engine.run_job(claim)

    assert job_of(shop, claim) == ("ready", 0, True)
    asked: list[str] = []
    outside.payment_fault = lambda method, _key: asked.append(method)
    shop.time_passes(minutes=2)
    shop.works()
    assert asked == []
    assert order.incidents() == []
    assert order.open_elements() == ["approve_payment"]


def test_an_answer_that_could_not_be_written_is_known_to_who_cancels_meanwhile(shop: Shop) -> None:
    """Charged, the disk full, cancelled before the answer is written: the money is in the books, and goes back."""
    order = in_capture(shop)
    claim = claim_of(shop, "payment.capture")
    with full(shop.parts.database):
        shop.engine.run_job(claim)

    shop.engine.cancel(order.number, PEOPLE["sales"], "Changed her mind.")
    shop.time_passes(minutes=2)
    shop.works()

    assert order.status == "cancelled"
    assert order.money()["refunded"] == order.money()["captured"] > 0
    assert shop.parts.ports.payments.balances() == {order.number: 0}  # type: ignore[attr-defined]


@pytest.mark.parametrize("trouble", [read_only, away])
def test_a_job_whose_end_nobody_can_write_is_taken_again(shop: Shop, trouble: Trouble) -> None:
    """The lease ends, the next worker asks the provider with the same key: charged once."""
    order = in_capture(shop)
    claim = claim_of(shop, "payment.capture")
    with trouble(shop.parts.database), pytest.raises(DatabaseTrouble):
        shop.engine.run_job(claim)

    assert job_of(shop, claim) == ("leased", 1, False)
    with shop.engine.transaction() as session:
        session.execute(update(Job).values(lease_until=datetime.now(UTC) - timedelta(seconds=1)))
    shop.works()
    assert order.incidents() == []
    assert order.open_elements() == ["approve_payment"]
    assert [movement.kind for movement in shop.parts.ports.payments.statement()].count("capture") == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_task_stays_as_it_was(shop: Shop, trouble: Trouble) -> None:
    """No incident is made of a form that could not be saved; the same form passes afterwards."""
    order = shop.places_order().goes_to("prepare_shipment")
    before = order.task("prepare_shipment")
    with trouble(shop.parts.database), pytest.raises(DatabaseTrouble):
        order.does("prepare_shipment")

    assert order.task("prepare_shipment") == before
    assert order.incidents() == []
    assert order.does("prepare_shipment").state == "done"


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_message_is_not_taken_for_stored(shop: Shop, trouble: Trouble) -> None:
    """Whoever sent it is told to send it again, and then it counts."""
    order = shop.places_order()
    with trouble(shop.parts.database), pytest.raises(DatabaseTrouble):
        order.hears("stock.arrived", "m-1")

    with shop.engine.reading() as session:
        assert session.scalars(select(Message.message_id)).all() == []
    assert order.hears("stock.arrived", "m-1")


def job_of(shop: Shop, claim: Claim) -> tuple[str, int, bool]:
    """State, attempts, and whether the answer is kept."""
    with shop.engine.reading() as session:
        job = session.get_one(Job, claim.id)
        return job.state, job.attempts, job.result is not None
