"""Nothing that matters lives in a process: an order goes the same way when everything is restarted at every step."""

from __future__ import annotations

from typing import Any

import pytest

from engine import Engine
from engine.codec import SharedSpecCodec, Specs, Workflow, pack, unpack
from tests.scenarios.conftest import SQLITE_ONLY
from tests.scenarios.shop import OrderHandle, Shop

COMMANDS = {"start", "complete", "decide", "deliver", "cancel", "run_job", "claim_next", "work", "retry"}


class Restarting:
    """An engine that is made anew, with nothing in memory, before every command."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __getattr__(self, name: str) -> Any:
        if name == "work":
            return self._work
        if name in COMMANDS:
            fresh = Engine(self._engine.database, self._engine.registry, self._engine.clock)
            return getattr(fresh, name)
        return getattr(self._engine, name)

    def _work(self, *, limit: int) -> None:
        while limit and (claim := self._engine.claim_next()) is not None:
            self.run_job(claim)
            limit -= 1


def usual(shop: Shop) -> OrderHandle:
    return shop.places_order().goes_to_its_end()


def troubled(shop: Shop) -> OrderHandle:
    """Doubts, a send-back, a decline, a reminder, a late pickup, a lost parcel."""
    order = shop.places_order(phone="12", payment_method="bank_transfer")
    order.does("correct_details")
    order.is_decided("approve_reservation", "send_back", comment="Again.", step=3)
    order.goes_to("wait_for_transfer")
    shop.time_passes(days=3)
    order.pays_by_transfer(500)
    order.answers("resolve_payment", choice="other_method", payment_method="credit_card")
    order.is_decided("approve_payment", "send_back", comment="Again.", step=6)
    order.goes_to("confirm_pickup")
    order.courier_reports("picked_up")
    shop.time_passes(hours=1)
    order.courier_reports("lost")
    order.answers("handle_exception", choice="ship_again", reason="Lost.")
    return order.goes_to_its_end()


def cancelled(shop: Shop) -> OrderHandle:
    """Picked, then called off."""
    order = shop.places_order().goes_to("package_products").is_cancelled()
    return order.goes_to_its_end()


def story(order: OrderHandle) -> list[tuple[Any, ...]]:
    """The history without what is different for every order."""
    return [(e.kind, e.element, e.actor, e.step, e.process, sorted(e.after)) for e in order.history()]


def outcome(order: OrderHandle) -> tuple[Any, ...]:
    return order.status, order.steps(), order.money(), order.mails(), sorted(order.variables)


@SQLITE_ONLY
@pytest.mark.parametrize("way", [usual, troubled, cancelled])
def test_an_order_survives_a_restart_between_every_two_commands(shop: Shop, way: Any) -> None:
    """The same history, money and mails as without restarts."""
    undisturbed = way(shop)

    shop.engine = Restarting(shop.engine)  # type: ignore[assignment]
    restarted = way(shop)

    assert story(restarted) == story(undisturbed)
    assert outcome(restarted) == outcome(undisturbed)
    assert shop.engine.verify_audit() == []


# --- what is stored of a workflow


class StockCodec(SharedSpecCodec):
    """Stores what SpiffWorkflow's own converters give, and nothing less."""

    def encode(self, workflow: Workflow) -> bytes:
        return pack(self._registry.convert(workflow))


class DoubtingCodec(SharedSpecCodec):
    """Compares what is restored from our state with what is restored from the stock converters' document."""

    def __init__(self) -> None:
        super().__init__()
        self.stock = StockCodec()
        self.kept: dict[bytes, bytes] = {}
        self.compared = 0

    def encode(self, workflow: Workflow) -> bytes:
        state = super().encode(workflow)
        self.kept[state] = self.stock.encode(workflow)
        return state

    def decode(self, state: bytes, specs: Specs) -> Workflow:
        ours = super().decode(state, specs)
        theirs = self.stock.decode(self.kept[state], specs)
        assert shape(ours) == shape(theirs)
        assert waits(ours) == waits(theirs)
        self.compared += 1
        return ours


def shape(workflow: Any) -> Any:
    """The tree of tasks with everything but ids and times."""
    def of(task: Any) -> Any:
        children = [of(child) for child in task.children]
        return task.task_spec.name, task.state, task.triggered, task.data, task.internal_data, children

    return of(workflow.task_tree), workflow.data, workflow.completed, len(workflow.subprocesses)


def waits(workflow: Any) -> Any:
    """Ids of what is not finished: rows refer to them."""
    from SpiffWorkflow.util.task import TaskState

    return sorted(str(task.id) for task in workflow.get_tasks(state=TaskState.READY | TaskState.WAITING))


@SQLITE_ONLY
@pytest.mark.parametrize("way", [usual, troubled, cancelled])
def test_what_is_left_out_of_the_state_is_not_missed(shop: Shop, way: Any) -> None:
    """After every command our state restores to the same workflow as the stock converters', and goes the same way."""
    shop.engine.codec = doubting = DoubtingCodec()
    ours = way(shop)
    shop.engine.codec = StockCodec()

    theirs = way(shop)

    assert doubting.compared > 10
    assert story(ours) == story(theirs)
    assert outcome(ours) == outcome(theirs)


@SQLITE_ONLY
def test_a_state_is_stored_without_its_diagram_and_without_random_ids_of_the_past(shop: Shop) -> None:
    """What is finished is numbered; what waits keeps the id that its task has everywhere."""
    from engine.store.tables import Instance

    order = shop.places_order().goes_to("prepare_shipment")
    with shop.engine.reading() as session:
        state = unpack(session.query(Instance).one().state)

    random = [task_id for task_id, task in state["tasks"].items() if not task_id.startswith("00000000-0000-0000-0000")]
    assert "spec" not in state
    assert order.task("prepare_shipment").id in random
    assert all(state["tasks"][task_id]["state"] not in (64, 256) for task_id in random)
