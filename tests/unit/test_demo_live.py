"""The live demo, ticked by hand on a clock that stands still: nobody waits for real seconds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app import Counterparties, Parts, build, prepare
from demo.dice import Dice
from demo.live import FIRST_ORDERS, SEED, Live, scale_of
from demo.outside import CourierWorld
from demo.people import OWNER, People
from demo.turn import Turn
from settings import load
from tests.clock import MovableClock


class Opened:
    """A live demo whose time a test moves."""

    def __init__(self, var: Path) -> None:
        self.clock = MovableClock(datetime(2026, 11, 23, 8, 0, tzinfo=UTC))
        world = CourierWorld(Dice(SEED), calm=True)
        outside = Counterparties(plan=world.plan, courier_faults=world.fault, courier_scale=scale_of(1))
        self.parts: Parts = build(load(var=var, demo=True, database_url="", smtp_url=""), clock=self.clock,
                                  counterparties=outside)
        prepare(self.parts)
        self.parts.ports.renderer.pdf = lambda _name, _data: b"%PDF-"  # type: ignore[method-assign]
        self.mark = var / "demo-opened"
        self.turn = Turn(var / "demo-turn")
        self.live = Live(self.parts.engine, self.parts.ports, self.clock, speed=1, opened=self.mark, turn=self.turn)

    def settle(self, people: People | None, *, seconds: int = 60) -> None:
        """Everything that happens by itself within so many seconds."""
        for _ in range(seconds):
            while self.parts.engine.work() + self.live.tick() + (people.tick() if people else 0):
                pass
            self.clock.advance(seconds=1)


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Opened]:
    demo = Opened(tmp_path / "var")
    yield demo
    demo.parts.database.dispose()


def test_the_first_orders_give_every_team_something_to_do(demo: Opened) -> None:
    """Whoever signs in at the first start finds work, whatever the team; broken off, it is taken up."""
    engine = demo.parts.engine
    people = demo.live.first_orders()
    demo.settle(people, seconds=2)

    # as if killed and started again
    again = Live(engine, demo.parts.ports, demo.clock, speed=1, opened=demo.mark, turn=demo.turn)
    demo.live, people = again, again.first_orders()
    assert people is not None
    demo.settle(people)

    orders = engine.instances("order_fulfillment", limit=1000).items
    tasks = engine.tasks(OWNER, limit=200).items
    assert len(orders) == len(FIRST_ORDERS)
    assert {task.team for task in tasks} == {
        "sales", "warehouse", "finance", "shipping", "stock-approvers", "payment-approvers",
    }
    assert len({order.step for order in orders}) > 6
    assert engine.jobs(state="dead").items == ()

    demo.mark.touch()
    assert demo.live.first_orders() is None  # and never again


def test_a_shop_that_has_orders_is_given_no_first_ones(demo: Opened) -> None:
    """A folder in which a demo was played before stays as it is."""
    demo.live.new_order()

    assert demo.live.first_orders() is None
    assert len(demo.parts.engine.instances("order_fulfillment", limit=1000).items) == 1


def test_bank_and_couriers_answer_within_seconds(demo: Opened) -> None:
    """A visitor who does the people's steps waits for nobody else: transfer, pickup and delivery come by themselves."""
    engine = demo.parts.engine
    everybody = People(engine, Dice(SEED), prompt=True)
    transfers = [{
        "name": "Greta Meier", "email": "greta@meier.example", "phone": "+49 30 901820", "follow_up": "offer_discount",
        "street": "Unter den Linden 77", "city": "Berlin", "postal_code": "10117", "country": "DE",
        "items": [{"sku": "product-a", "quantity": 2}], "payment_method": "bank_transfer",
        "shipping_method": "standard", "stock_region": "europe",
    }] * 4  # fmt: skip
    numbers = [demo.live.order(form) for form in transfers]

    demo.settle(everybody, seconds=240)

    # a customer may forget to pay, an approver may reject: that is for people
    assert "closed" in {engine.instance(number).status for number in numbers}


def test_one_world_is_played_at_a_time(tmp_path: Path) -> None:
    """While one process plays, no other does; when it has ended, or died, the next may."""
    first, second = Turn(tmp_path / "turn"), Turn(tmp_path / "turn")

    with first.taken() as mine:
        assert mine
        with second.taken() as also:
            assert not also
    with second.taken() as mine:
        assert mine
