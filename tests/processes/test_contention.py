"""Eight processes want the last pieces, and two people the same task: one gets it, the others are told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from app import Parts
from demo.tally import broken
from engine.store.database import Database
from tests.clock import MovableClock
from tests.processes.rivals import Place, at_once, claims, completes, corrects_details, signs, works
from tests.scenarios.conftest import (
    database,
    installed_rows,
    installed_sqlite,
    library,
    outside,
    parts,
    renderer,
    shipped,
    shop,
)
from tests.scenarios.shop import OrderHandle, Shop

__all__ = [
    "database", "installed_rows", "installed_sqlite", "library", "outside", "parts", "renderer", "shipped", "shop",
]
RIVALS = 8
ABC = ["product-a", "product-b", "product-c"]


@pytest.fixture
def place(parts: Parts, database: Database, clock: MovableClock) -> Iterator[Place]:
    """Where the rivals find the shop of this test."""
    return Place(parts.settings.var, database.url.render_as_string(False), clock.now())


def doubtful(shop: Shop, skus: list[str], units: int = 1) -> OrderHandle:
    """An order that waits for somebody to look at its details; nothing is reserved for it yet."""
    order = shop.places_order(phone="12", items=[{"sku": sku, "quantity": units} for sku in skus])
    assert order.open_elements() == ["correct_details"]
    return order


def fight(place: Place, orders: list[OrderHandle]) -> None:
    """Eight processes let all orders go on to their reservation at the same moment."""
    tasks = [order.task("correct_details").id for order in orders]
    assert at_once(place, corrects_details, [tasks[n::RIVALS] for n in range(RIVALS)]) == [[]] * RIVALS


def where(orders: list[OrderHandle]) -> Counter[str]:
    return Counter(element for order in orders for element in order.open_elements())


@pytest.mark.slow
def test_the_last_units_go_to_exactly_as_many_orders(shop: Shop, place: Place) -> None:
    """Thirteen pieces, forty orders for one: thirteen are served, the others are short, none is sold twice."""
    orders = [doubtful(shop, ["product-a"]) for _ in range(40)]
    sets(shop, {"product-a": 13})

    fight(place, orders)

    assert where(orders) == {"approve_reservation": 13, "resolve_shortage": 27}
    assert shop.stock("product-a") == (13, 13)
    assert not any(order.incidents() for order in orders)
    assert unexplained(shop) == []


@pytest.mark.slow
def test_orders_of_several_products_do_not_lock_each_other_out(shop: Shop, place: Place) -> None:
    """Whatever order the products are named in: no deadlock, all lines or none."""
    orders = [doubtful(shop, ABC[n % 3:] + ABC[:n % 3] if n % 2 else ABC[::-1], units=2) for n in range(32)]
    sets(shop, {"product-a": 40, "product-b": 20, "product-c": 30})

    fight(place, orders)

    assert where(orders) == {"approve_reservation": 10, "resolve_shortage": 22}
    assert [shop.stock(sku)[1] for sku in ABC] == [20, 20, 20]
    assert not any(order.incidents() for order in orders)
    assert unexplained(shop) == []


@pytest.mark.slow
def test_reservations_that_expire_at_once_are_released(shop: Shop, place: Place, clock: MovableClock) -> None:
    """Nobody signs for two days: eight workers release what is held at the same moment; it is held again, once."""
    orders = [doubtful(shop, ["product-a"]) for _ in range(24)]
    sets(shop, {"product-a": 8})
    fight(place, orders)
    held = {order.number for order in orders if "approve_reservation" in order.open_elements()}
    clock.advance(days=2, minutes=1)

    later = Place(place.var, place.url, clock.now())
    assert at_once(later, works, [200] * RIVALS) == [[]] * RIVALS

    assert {order.number for order in orders if "release_stock" in order.done()} == held
    assert where(orders)["approve_reservation"] == 8
    assert shop.stock("product-a") == (8, 8)
    assert unexplained(shop) == []


@pytest.mark.slow
@pytest.mark.parametrize("way", [claims, completes])
def test_of_two_people_at_one_task_one_wins_and_the_other_is_told_who(shop: Shop, place: Place, way: Any) -> None:
    """At the same moment, in two processes, task after task."""
    tasks = [doubtful(shop, ["product-a"]).task("correct_details").id for _ in range(12)]

    kim, lee = at_once(place, way, [("kim", tasks), ("lee", tasks)])

    for task, to_kim, to_lee in zip(tasks, kim, lee, strict=True):
        assert "" in (to_kim, to_lee), (task, to_kim, to_lee)
        winner, told = ("kim", to_lee) if to_kim == "" else ("lee", to_kim)
        assert told in (f"TakenByAnother: {winner} has this task.", f"AlreadyDone: The task is done, by {winner}.")
    assert unexplained(shop) == []


@pytest.mark.slow
def test_of_two_approvers_at_one_gate_one_decides_and_the_other_is_told_who(shop: Shop, place: Place) -> None:
    """One rejects while the other approves: the gate is decided once."""
    orders = [shop.places_order() for _ in range(8)]
    gates = [order.task("approve_reservation").id for order in orders]

    one, two = at_once(place, signs, [("stock-approver", "approve", "", gates),
                                      ("stock-approver-2", "reject", "No.", gates)])

    for order, to_one, to_two in zip(orders, one, two, strict=True):
        winner, told = ("stock-approver", to_two) if to_one == "" else ("stock-approver-2", to_one)
        assert told == f"AlreadyDecided: This gate is decided already, by {winner}."
        decided = [e.actor for e in order.history() if e.element == "approve_reservation" and e.kind == "completed"]
        assert decided == [winner]
    assert unexplained(shop) == []


def sets(shop: Shop, on_hand: dict[str, int]) -> None:
    """What Europe has, with the movements that explain it; the other regions have nothing."""
    from handlers.stock import count

    with shop.engine.transaction() as session:
        for sku in ABC:
            count(session, (sku, "europe"), on_hand.get(sku, 0), shop.clock.now())


def unexplained(shop: Shop) -> list[str]:
    return broken(shop.engine, shop.parts.ports)
