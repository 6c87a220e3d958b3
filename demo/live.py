"""The demo that goes on behind `waybill run --demo`: bank and couriers answer every order within seconds, customers
keep ordering, and the steps of people wait for people."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from demo.customers import order_form
from demo.dice import Dice
from demo.outside import PROCESS, Outside
from demo.people import WEBSHOP, People
from demo.turn import Turn
from engine.views import TaskView
from handlers.contract import WaybillError
from handlers.orders import next_order_number, order_of_reference

if TYPE_CHECKING:
    from engine import Engine
    from handlers.contract import Clock
    from handlers.ports import Ports

log = structlog.get_logger("demo")

SEED = 2
HOUR_IN_SECONDS = 0.5
"""How long an hour of a courier or a customer takes at speed 1."""
_NO_MONEY = {"payment_method": "credit_card", "payment_token": "tok_insufficient_funds"}
_HEAVY = {"items": [{"sku": "product-d", "quantity": 6}]}
_LARGE = {"items": [{"sku": "product-b", "quantity": 60}]}
_UNKNOWN_PLACE = {"postal_code": "1", "city": "Nowhere"}
FIRST_ORDERS: tuple[tuple[int, dict[str, Any]], ...] = (
    (2, _UNKNOWN_PLACE), (5, {}), (8, {}), (9, {}), (10, {}), (7, _NO_MONEY), (5, _LARGE), (8, _LARGE), (20, {}),
    (9, {}), (10, {}), (11, _HEAVY), (5, {}), (8, {}), (15, {}), (20, {}),
)
"""Orders that are under way when the demo is opened for the first time: the step at which real people take over, and
what is unusual about the order. With this seed, the courier loses the fifteenth."""
NEW_ORDER_EVERY = timedelta(seconds=90)
TICK_SECONDS = 0.5
BAD_MOMENT_SECONDS = 2
"""How long the simulation lets companies be that do not answer."""
SLOWEST = 0.001
"""Below this speed the world would stand still for years: 0 is how to stop it."""


def scale_of(speed: float) -> float:
    """How much shorter the simulated world's time is than real time."""
    return HOUR_IN_SECONDS / 3600 / max(speed, SLOWEST)


class Live:
    """A thread that plays the world outside, and at the first start the people, up to different steps."""

    def __init__(
        self, engine: Engine, ports: Ports, clock: Clock, *, speed: float, opened: Path, turn: Turn
    ) -> None:
        """`speed` 0 stops the simulation; 1 lets bank and couriers answer within seconds.

        `opened` is a file that is there once the first orders are under way: a start that was broken off before is
        taken up by the next. Nothing is played while another process has its `turn`.
        """
        self._engine, self._clock, self._speed, self._opened, self._turn = engine, clock, speed, opened, turn
        self._between_orders = NEW_ORDER_EVERY / max(speed, SLOWEST)
        self._dice = Dice(SEED)
        self._outside = Outside(engine, ports, self._dice, patience=scale_of(speed))
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="demo", daemon=True)
        self._customers = 0
        self._has_opened = False

    def start(self) -> None:
        if self._speed > 0:
            self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(10)

    def _loop(self) -> None:
        next_order = self._clock.now() + self._between_orders
        while not self._stopping.wait(TICK_SECONDS):
            with self._turn.taken() as mine:
                if not mine:
                    continue
                if not self._has_opened:
                    self._open()
                self._guarded(self.tick)
                if self._clock.now() >= next_order:
                    self._guarded(self._next_customer)
                    next_order = self._clock.now() + self._between_orders

    def _next_customer(self) -> int:
        """Orders, unless somebody has just ordered: several processes may take turns in this."""
        newest = self._engine.instances(PROCESS, limit=1).items
        if newest and newest[0].started_at + self._between_orders > self._clock.now():
            return 0
        return len(self.new_order())

    def tick(self) -> int:
        """Bank, couriers and suppliers say what they have to say by now; returns how much that was."""
        return self._outside.tick(self._clock.now())

    def _open(self) -> None:
        """Brings the first orders on their way, once."""
        self._has_opened = True
        try:
            people = self.first_orders()
        except Exception:
            log.exception("demo")
            return
        idle = 0
        while people is not None and idle < 10:
            idle = 0 if self._guarded(people.tick) + self._guarded(self.tick) else idle + 1
            if self._stopping.wait(0.2):
                return
        self._opened.touch()

    def _guarded(self, work: Callable[[], int]) -> int:
        """A bad moment of the simulation must not end it; it counts as one in which nothing was done."""
        try:
            return work()
        except WaybillError as error:
            log.warning("demo", error=str(error))
            self._stopping.wait(BAD_MOMENT_SECONDS)
        except Exception:
            log.exception("demo")
        return 0

    def new_order(self) -> str:
        """The next customer orders; returns the order's number."""
        self._customers = self._customers or len(self._engine.instances(PROCESS, limit=1000).items)
        self._customers += 1
        return self.order(order_form(self._dice, self._customers))

    def order(self, form: Mapping[str, Any], reference: str | None = None) -> str:
        """A customer orders what the form says; returns the order's number."""
        intake = {"source": "api"} | ({"order_ref": reference} if reference else {})
        with self._engine.transaction() as session:
            number = next_order_number(session)
            self._engine.start(PROCESS, number, WEBSHOP, submit=form, session=session,
                               variables={"intake": intake})
        return number

    def first_orders(self) -> People | None:
        """Places orders for different steps, so that everybody finds something to do, and returns who works on them.

        None when they are under way already, or when the shop has other orders.
        """
        placed = self._placed()
        if self._opened.exists() or (not any(placed) and self._engine.instances(PROCESS, limit=1).items):
            return None
        goals = {}
        for n, (known, (step, changes)) in enumerate(zip(placed, FIRST_ORDERS, strict=True), start=1):
            form = {**order_form(self._dice, n), **changes}
            goals[known or self.order(form, _reference(n))] = step

        def leaves(task: TaskView) -> bool:
            """A task is left to real people once its order has come as far as it shall."""
            reached = task.step or self._engine.instance(task.order).step or 0
            return reached >= goals.get(task.order, 0)

        return People(self._engine, self._dice, leaves=leaves, prompt=True)

    def _placed(self) -> list[str | None]:
        """The first orders that an earlier start has placed."""
        with self._engine.reading() as session:
            return [order_of_reference(session, _reference(n)) for n in range(1, len(FIRST_ORDERS) + 1)]


def _reference(n: int) -> str:
    return f"opening-{n}"
