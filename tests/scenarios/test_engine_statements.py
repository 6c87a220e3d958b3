"""What a command costs in SQL: one commit, few statements, however many lines an order has; and how small state is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from engine.store.tables import Instance, Task
from tests.scenarios.conftest import SQLITE_ONLY
from tests.scenarios.shop import PEOPLE, OrderHandle, Shop

MOST = 20
"""Statements of a command that completes a user task or decides a gate."""
COUNTS = {
    "start": 34,
    "complete correct_details": 17,
    "complete resolve_shortage": 20,
    "decide approve_reservation": 20,
    "decide approve_payment": 15,
    "complete resolve_payment": 12,
    "complete prepare_shipment": 16,
    "complete package_products": 16,
    "complete choose_courier": 20,
    "complete confirm_pickup": 20,
    "complete handle_exception": 19,
    "complete ask_for_proof": 10,
    "complete prepare_next": 13,
    "complete put_goods_back": 19,
    "deliver bank.transfer_received": 13,
    "deliver courier.picked_up": 22,
    "deliver courier.reported": 13,
    "cancel": 12,
    "claim": 4,
    "save_draft": 2,
}
"""The most statements that each command may need; lower them when a command gets cheaper."""
EACH_ONE = ["product-a", "product-b", "product-c", "product-d", "product-e"]


class Costs:
    """Statements and commits of the commands that a test gave, by command."""

    def __init__(self, shop: Shop) -> None:
        self.shop, self.most, self.commits = shop, {}, {}  # type: ignore[var-annotated]

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        engine = self.shop.parts.database.engine
        seen: list[str] = []
        commits: list[Any] = []

        def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            if not statement.startswith("BEGIN"):
                seen.append(statement)

        def count(connection: Any) -> None:
            commits.append(connection)

        event.listen(engine, "before_cursor_execute", note)
        event.listen(engine, "commit", count)
        try:
            yield
        finally:
            event.remove(engine, "before_cursor_execute", note)
            event.remove(engine, "commit", count)
        self.most[name] = max(self.most.get(name, 0), len(seen))
        self.commits[name] = max(self.commits.get(name, 0), len(commits))


@pytest.fixture
def costs(shop: Shop) -> Costs:
    """Counts every command that the test gives."""
    costs, engine = Costs(shop), shop.engine

    def counted(method: str, name: Any) -> None:
        command = getattr(engine, method)

        def call(*args: Any, **more: Any) -> Any:
            with costs.of(name(*args)):
                return command(*args, **more)

        setattr(engine, method, call)

    def element(task_id: str, *_: Any) -> str:
        with engine.reading() as session:
            return session.get_one(Task, task_id).element

    counted("start", lambda *_: "start")
    counted("complete", lambda *args: f"complete {element(*args)}")
    counted("decide", lambda *args: f"decide {element(*args)}")
    counted("deliver", lambda *args: f"deliver {args[0]}")
    counted("cancel", lambda *_: "cancel")
    counted("claim", lambda *_: "claim")
    counted("save_draft", lambda *_: "save_draft")
    return costs


def size(order: OrderHandle) -> int:
    with order.engine.reading() as session:
        row = session.query(Instance).filter_by(business_key=order.number).one()
        return len(row.state) + len(row.variables) + len(row.visits)


def test_every_command_is_one_commit_of_few_statements(shop: Shop, costs: Costs) -> None:
    """Exact upper bounds for each command, with one line and with five."""
    for skus in (["product-a"], EACH_ONE):
        items = [{"sku": sku, "quantity": 1} for sku in skus]
        order = shop.places_order(phone="12", items=items, payment_token="tok_declined")
        order.does("correct_details")
        task = order.task("approve_reservation")
        shop.engine.claim(task.id, PEOPLE["stock-approver"])
        shop.engine.save_task_draft(task.id, PEOPLE["stock-approver"], {"comment": "half a th"})
        order.goes_to("resolve_payment")
        order.answers("resolve_payment", choice="again", payment_token="tok_good")
        order.goes_to("confirm_pickup")
        order.does("confirm_pickup")
        shop.time_passes(hours=1)
        order.courier_reports("lost")
        order.does("handle_exception")
        order.goes_to_its_end()

        other = shop.places_order(items=items, payment_method="bank_transfer").goes_to("confirm_pickup")
        other.courier_reports("picked_up")
        other.goes_to_its_end()
        third = shop.places_order(items=items).goes_to("package_products").is_cancelled()
        third.goes_to_its_end()
        shop.has("product-a", 0)
        short = shop.places_order(items=[{"sku": "product-a", "quantity": 1}])
        short.answers("resolve_shortage", choice="other_region", stock_region="malaysia")
        shop.has("product-a", 100)
        heavy = shop.places_order(items=[{"sku": "product-d", "quantity": 6}]).goes_to("choose_courier")
        heavy.does("choose_courier")

    assert {name for name, commits in costs.commits.items() if commits != 1} == {"start"}, "starts in the caller's"
    dear = {name: (count, COUNTS.get(name, 0)) for name, count in costs.most.items() if count > COUNTS.get(name, 0)}
    assert dear == {}, "statements and what is allowed"
    people = {name: count for name, count in COUNTS.items() if name.startswith(("complete", "decide"))}
    assert max(people.values()) <= MOST


@SQLITE_ONLY
def test_state_and_variables_are_small(shop: Shop) -> None:
    """At most 4 KB on disk wherever an order stands, also after two send-backs."""
    order = shop.places_order(items=[{"sku": sku, "quantity": 2} for sku in EACH_ONE])
    sizes = [size(order)]
    for _ in range(2):
        order.is_decided("approve_reservation", "send_back", comment="Again, please.", step=3)
        sizes.append(size(order))
    while order.status == "open":
        order.usual()
        sizes.append(size(order))

    assert max(sizes) <= 4096, sizes
