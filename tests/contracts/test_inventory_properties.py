"""Whatever happens in whatever order: stock is conserved and never below zero, on both databases."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.store.database import Database
from handlers import inventory, stock
from handlers.contract import Clock, Refused
from handlers.tables import Reservation, Stock
from tests.shopfloor import books_agree, call, level, product, stock_up, take_order

ORDERS = ("WB-1", "WB-2", "WB-3")
REGIONS = ("north_america", "europe")
SKUS = ("product-a", "product-b")
UNITS = 6

Step = tuple[str, str, str, int]
steps = st.tuples(
    st.sampled_from(("reserve", "release", "pick", "ship", "put_back", "take_back", "again", "deliver")),
    st.sampled_from(ORDERS),
    st.sampled_from(REGIONS),
    st.integers(0, 4),
)


class World:
    """The shelves as simple sums, next to the ledger that is tested."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self.session, self.clock = session, clock
        shelves = dict.fromkeys(REGIONS, UNITS)
        stock_up(session, clock, *(product(sku, stock=shelves) for sku in SKUS))
        for n, number in enumerate(ORDERS, start=1):
            items = [{"sku": "product-a", "quantity": n}, {"sku": "product-b", "quantity": 4 - n}]
            take_order(session, clock, number, items=items)
        self.inside = {sku: UNITS * len(REGIONS) for sku in SKUS}
        """What must be in the building, over all regions."""

    def do(self, step: Step) -> None:
        """One step as the engine would take it: a refusal rolls back to the savepoint before."""
        action, number, region, n = step
        try:
            with self.session.begin_nested():
                getattr(self, action)(number, region, n)
        except (Refused, inventory.NothingReserved, stock.StockBroken):
            self.session.expire_all()

    def reserve(self, number: str, region: str, _n: int) -> None:
        inventory.reserve(call(self.session, self.clock, number), region)

    def release(self, number: str, _region: str, _n: int) -> None:
        inventory.release(call(self.session, self.clock, number))

    def pick(self, number: str, _region: str, _n: int) -> None:
        inventory.pick(call(self.session, self.clock, number))

    def ship(self, number: str, _region: str, _n: int) -> None:
        live = self._live(number)
        inventory.ship(self.session, number, self.clock.now())
        for line in live.lines if live else ():
            self.inside[line.sku] -= line.quantity

    def put_back(self, number: str, _region: str, n: int) -> None:
        live = self._live(number)
        lines = live.lines if live and live.state == "picked" else ()
        counted = {line.sku: max(0, line.quantity - n) for line in lines}
        form = {"lines": [{"sku": sku, "quantity": quantity} for sku, quantity in counted.items()]}
        inventory.put_back(call(self.session, self.clock, number), form)
        for line in lines:
            self.inside[line.sku] -= line.quantity - counted[line.sku]

    def take_back(self, number: str, _region: str, n: int) -> None:
        out = sum(units for (sku, _), units in stock.taken(self.session, number).items() if sku == "product-a")
        inventory.take_back(self.session, number, {"product-a": n}, self.clock.now())
        self.inside["product-a"] += min(n, out)

    def again(self, number: str, region: str, _n: int) -> None:
        order = take_order_again(self.session, number, region)
        inventory.reserve_again(self.session, order, self.clock.now())

    def deliver(self, _number: str, region: str, n: int) -> None:
        if n:
            stock.take_in(self.session, ("product-b", region), n, self.clock.now())
            self.inside["product-b"] += n

    def _live(self, number: str) -> Reservation | None:
        return stock.live_reservation(self.session, number)

    def check(self) -> None:
        """The promises."""
        assert books_agree(self.session)
        held: dict[tuple[str, str], int] = {}
        for reservation in self.session.scalars(select(Reservation).where(Reservation.state.in_(stock.LIVE))):
            for line in reservation.lines:
                held[line.sku, line.region] = held.get((line.sku, line.region), 0) + line.quantity
        for sku in SKUS:
            for region in REGIONS:
                on_hand, reserved = level(self.session, sku, region)
                assert 0 <= reserved <= on_hand
                assert reserved == held.get((sku, region), 0), "what is reserved is what live reservations hold"
            there = self.session.scalars(select(Stock.on_hand).where(Stock.sku == sku)).all()
            assert sum(there) == self.inside[sku]


def take_order_again(session: Session, number: str, region: str) -> Any:
    from handlers.orders import load_order

    order = load_order(session, number)
    order.stock_region = region
    return order


@pytest.mark.slow
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(sequence=st.lists(steps, max_size=25))
def test_stock_is_conserved(database: Database, clock: Clock, sequence: list[Step]) -> None:
    """Any sequence of reserving, releasing, picking, shipping, returning and delivering keeps the books."""
    with Session(database.engine, expire_on_commit=False) as session:
        world = World(session, clock)
        for step in sequence:
            world.do(step)
        world.check()
        session.rollback()
