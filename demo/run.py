"""`waybill demo`: customers, people, bank and couriers take orders to their end on a clock that jumps ahead when nobody
has anything to do. Workers and servers beside it live in the same time and take part."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from demo.customers import order_form
from demo.dice import Dice
from demo.outside import PROCESS, Outside
from demo.people import WEBSHOP, People
from engine.errors import InvalidForm
from engine.store.tables import Event, Instance
from handlers.orders import next_order_number, order_of_reference

if TYPE_CHECKING:
    from demo.clock import JumpingClock
    from engine import Engine
    from handlers.ports import Ports

PLACED_AT_ONCE = 5
"""New orders in each round, so that orders meet each other at every step."""
_ABOUT_THEN = timedelta(minutes=15)
_LONGEST = timedelta(days=400)
"""An order that has not ended after this much of the demo's time never will."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come."""

    placed: int
    ended: int
    total: int
    now: datetime


def latest_time(engine: Engine) -> datetime | None:
    """The newest time in the history: an earlier run may have jumped ahead of the machine's clock."""
    with engine.reading() as session:
        found = session.execute(select(func.max(Event.at))).scalar_one_or_none()
    return found.astimezone(UTC) if found is not None else None


class DemoRun:
    """Takes N orders of a seed, and whatever else is open in this installation, to the end."""

    def __init__(self, engine: Engine, ports: Ports, clock: JumpingClock, *, orders: int, seed: int) -> None:
        self._engine, self._clock, self._orders, self._seed = engine, clock, orders, seed
        self._dice = Dice(seed)
        self._outside = Outside(engine, ports, self._dice)
        self._people = People(engine, self._dice)
        self._tried: set[str] = set()
        self._placed = 0

    def run(self, report: Callable[[Progress], None] = lambda _progress: None) -> bool:
        """True when every order has ended; False when something can never go on by itself."""
        latest = latest_time(self._engine)
        if latest is not None:
            self._clock.jump_to(latest)
        give_up = self._clock.now() + _LONGEST
        while self._clock.now() < give_up:
            moved = self._place() + self._engine.work() + self._outside.tick(self._clock.now()) + self._people.tick()
            open_orders, ended = self._counts()
            report(Progress(self._placed, ended, open_orders + ended, self._clock.now()))
            if moved:
                continue
            if open_orders == 0 and self._placed >= self._orders:
                return True
            if self._engine.held():
                time.sleep(0.2)  # a worker is busy, or was killed: its lease ends by the wall clock, not by ours
            elif not self._jump() and not self._people.retry_incidents(self._tried):
                return False
        return False

    def _jump(self) -> bool:
        """Moves the clock past the next job or outside event, and a little further, for what happens about then.

        False when nothing will ever happen again.
        """
        times = [at for at in (self._engine.next_due(), self._outside.next_due()) if at is not None]
        if not times:
            return False
        self._clock.jump_to(min(times) + _ABOUT_THEN)
        return True

    def _place(self) -> int:
        """The next customers order; those of an earlier, broken off run are not placed again."""
        placed = 0
        while self._placed < self._orders and placed < PLACED_AT_ONCE:
            self._placed += 1
            placed += self._place_one(self._placed)
        return placed

    def _place_one(self, n: int) -> bool:
        reference = f"demo-{self._seed}-{n}"
        with self._engine.transaction() as session:
            if order_of_reference(session, reference) is not None:
                return False
            number = next_order_number(session)
            try:
                self._engine.start(PROCESS, number, WEBSHOP, submit=order_form(self._dice, n), session=session,
                                   variables={"intake": {"source": "api", "order_ref": reference}})
            except InvalidForm as refused:
                raise RuntimeError(f"The demo's order {n} is refused: {refused}") from refused
        return True

    def _counts(self) -> tuple[int, int]:
        """Orders that are under way, and that have ended."""
        with self._engine.reading() as session:
            counted = dict(session.execute(
                select(Instance.status, func.count()).where(Instance.process_key == PROCESS).group_by(Instance.status)
            ).tuples().all())
        under_way = counted.get("open", 0) + counted.get("cancelling", 0)
        return under_way, counted.get("closed", 0) + counted.get("cancelled", 0)
