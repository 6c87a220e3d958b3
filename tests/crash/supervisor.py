"""One run: opens an installation, lets people work while processes die, and stops when every order has ended."""

from __future__ import annotations

import json
import secrets
import shutil
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

import app
import migrations
from demo.clock import DemoClock
from demo.dice import Dice
from engine.store.tables import Instance, Job
from engine.wakeups import queue_name
from handlers.catalogue import demo_catalogue, take_catalogue
from settings import load
from tests.crash import points
from tests.crash.backends import Backend, backend
from tests.crash.config import Run
from tests.crash.house import House, free_ports
from tests.crash.invariants import violations
from tests.crash.people import Client, Customers, NoAnswer, Staff
from tests.crash.schedule import Trouble, schedule
from web.accounts import create_token, demo_users, users

_ABOUT_THEN = timedelta(hours=1)
_AT_ONCE = 40
"""Orders that are under way at the same time."""
_BREATH = 0.25
"""Seconds between two troubles, at least."""
_SHM = Path("/dev/shm")


@dataclass(frozen=True, slots=True)
class Plan:
    """What one run is to be."""

    backend: str
    seed: int
    orders: int
    kills: int = 0
    pauses: int = 0
    wipes: int = 0
    deaths: int = 0
    """How often each labelled point kills; then orders are placed until every one has."""
    most_orders: int = 0
    """With labelled points: give up demanding them after so many orders."""
    minutes: float = 60.0
    """How long the run may take before what is not done counts as stuck."""
    workers: int = 2


@dataclass
class Outcome:
    """What came of a run."""

    plan: Plan
    labels: int = 0
    deaths: int = 0
    """Kills at labelled points."""
    kills: int = 0
    pauses: int = 0
    wipes: int = 0
    orders: int = 0
    closed: int = 0
    cancelled: int = 0
    seconds: float = 0.0
    violations: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """Labels that never killed as often as they were to."""
    folder: str = ""


def perform(plan: Plan, say: Callable[[str], None] = lambda _line: None, *, keep: bool = False) -> Outcome:
    """Runs a plan to its end. `keep` leaves the folder, for whoever looks for a fault."""
    folder = Path(tempfile.mkdtemp(prefix="waybill-crash-", dir=_SHM if _SHM.is_dir() else None))
    try:
        with backend(plan.backend) as found:
            return Supervisor(plan, folder, found, say).go()
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


class Supervisor:
    """Keeps the processes, the people and the time of one run."""

    def __init__(
        self, plan: Plan, folder: Path, kind: Backend, say: Callable[[str], None]
    ) -> None:
        self.plan, self.say, self.broker = plan, say, kind.broker
        outside, *webs = free_ports(3)
        self.run = Run(str(folder), plan.seed, outside, tuple(webs), deaths=plan.deaths)
        secret = "whsec_" + "c2VjcmV0LW9mLXRoZS1jcmFzaC1oYXJuZXNz"
        self.variables = {
            **kind.variables, "WAYBILL_SECRET_KEY": secrets.token_urlsafe(32), "WAYBILL_WEBHOOK_SECRET": secret,
            "WAYBILL_WORKER_THREADS": "2", "WAYBILL_PUBLIC_URL": "http://orders.example",
        }  # fmt: skip
        self.clock = DemoClock(self.run.clock)
        self.parts = self._install()
        self.house = House(self.run, self.variables)
        dice = Dice(plan.seed)
        client = Client(webs, self._tokens())
        self.staff = Staff(client, self.parts.engine, dice)
        self.customers = Customers(client, dice)
        self.outcome = Outcome(plan, folder=str(folder))
        self.troubles: list[Trouble] = schedule(plan.seed, kills=plan.kills, pauses=plan.pauses, wipes=plan.wipes)
        self.progress, self.placed = 0.0, 0
        self.expected = points.expected(self.parts.engine.registry) if plan.deaths else []

    def _install(self) -> app.Parts:
        """Tables, process, people and catalogue, before any process runs."""
        settings = load(
            var=self.run.var, database_url=self.variables.get("WAYBILL_DATABASE_URL", ""),
            secret_key=self.variables["WAYBILL_SECRET_KEY"], webhook_secret=self.variables["WAYBILL_WEBHOOK_SECRET"],
            public_url=self.variables["WAYBILL_PUBLIC_URL"],
        )  # fmt: skip
        parts = app.build(settings, clock=self.clock)
        migrations.upgrade(parts.database)
        app.install(parts)
        with parts.engine.transaction() as session:
            demo_users(session, parts.engine.note_in_journal)
            for user in users(session):
                user.email = f"{user.name}@waybill.example"  # so that late work is told by mail
            take_catalogue(session, demo_catalogue(), self.clock.now())
        return parts

    def _tokens(self) -> dict[str, str]:
        with self.parts.engine.transaction() as session:
            return {user.name: create_token(session, user.name, self.clock.now()) for user in users(session)}

    # --- the run ------------------------------------------------------------------------------------------------------

    def go(self) -> Outcome:
        started = time.monotonic()
        self.house.settle(workers=self.plan.workers)
        with self._keeping():
            try:
                self._work(started + self.plan.minutes * 60)
            except NoAnswer as error:
                self.outcome.violations.append(f"web: nobody answered: {error}")
        self.house.close()
        self._judge()
        if self.broker is not None:
            self.broker.forget(queue_name(self.parts.engine))
        self.parts.database.dispose()
        self.outcome.seconds = time.monotonic() - started
        return self.outcome

    def _work(self, limit: float) -> None:
        said = 0.0
        while time.monotonic() < limit:
            before = self._seen()
            moved = self._place(before) + self.customers.cancel(before)
            moved += self.staff.tick()
            if time.monotonic() > said + 10:
                said = time.monotonic()
                self._tell(before)
            if moved or self._busy():
                time.sleep(0.02 if moved else 0.04)
                continue
            if before != self._seen():
                continue
            if not self.staff.retry_incidents() and not self._jump():
                if self.staff.clear_messages() or self._wants_more():
                    continue
                return
        self.outcome.violations.append(f"run: not done after {self.plan.minutes:g} minutes")

    def _seen(self) -> dict[str, tuple[str, int, int]]:
        """Status, length of the history and step of each order."""
        with self.parts.engine.reading() as session:
            rows = session.execute(select(Instance.business_key, Instance.status, Instance.seq, Instance.step)).all()
        found = {key: (status, seq, step or 0) for key, status, seq, step in rows}
        ended = sum(status in ("closed", "cancelled") for status, _, _ in found.values())
        steps = sum(step / 20 for status, _, step in found.values() if status not in ("closed", "cancelled"))
        self.progress = (ended + steps) / max(self.plan.orders, len(found))
        return found

    def _place(self, seen: Mapping[str, tuple[str, int, int]]) -> int:
        under_way = sum(status in ("open", "cancelling") for status, _, _ in seen.values())
        count = min(3, _AT_ONCE - under_way, self.plan.orders - self.placed)
        for _ in range(count):
            self._place_one()
        return max(count, 0)

    def _place_one(self) -> None:
        self.placed += 1
        number = self.customers.place(self.placed, _unusual(self.placed) if self.plan.deaths else {})
        if self.plan.deaths and self.placed % 10 == 0:  # money has come, perhaps in two parts, and goes back
            self.customers.leaving[number] = 0, 9
        elif self.plan.deaths and self.placed % 10 == 7:  # a courier is booked, and is called off
            self.customers.leaving[number] = 0, 13

    def _wants_more(self) -> bool:
        """Places more orders while labelled points have not been met."""
        if self.placed >= self.plan.most_orders or not points.missing(self.run.deaths_log, self.expected, 1):
            return False
        more = min(self.placed + 20, self.plan.most_orders)
        while self.placed < more:
            self._place_one()
        return True

    def _outside(self) -> tuple[int, datetime | None]:
        """How much the counterparties have to tell, and when something happens next."""
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.run.outside}/", timeout=10) as answer:
                    state = json.load(answer)
            except OSError:
                time.sleep(0.1)
                continue
            return state["unsent"], datetime.fromisoformat(state["next"]) if state["next"] else None

    def _busy(self) -> bool:
        """Whether somebody other than people has something to do now."""
        now = self.clock.now()
        unsent, due = self._outside()
        if unsent or (due is not None and due <= now):
            return True
        with self.parts.engine.reading() as session:
            waiting = select(func.count()).select_from(Job).where(
                (Job.state == "leased") | ((Job.state == "ready") & (Job.run_at <= now)))
            return bool(session.execute(waiting).scalar_one())

    def _jump(self) -> bool:
        """Moves the clock to whatever happens next. False when nothing ever will."""
        times = [at for at in (self.parts.engine.next_due(), self._outside()[1]) if at is not None]
        if not times:
            return False
        self.clock.jump_to(min(times).astimezone(UTC) + _ABOUT_THEN)
        return True

    # --- trouble ------------------------------------------------------------------------------------------------------

    @contextmanager
    def _keeping(self) -> Iterator[None]:
        """Beside the people: starts who has died, and makes trouble when it is due."""
        stopping = threading.Event()

        def keep() -> None:
            quiet_until = 0.0
            while not stopping.wait(0.03):
                self.house.mend()
                if self.troubles and self.progress >= self.troubles[0].at and time.monotonic() > quiet_until:
                    self._make(self.troubles.pop(0))
                    quiet_until = time.monotonic() + _BREATH

        thread = threading.Thread(target=keep)
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            thread.join()

    def _make(self, trouble: Trouble) -> None:
        residents = self.house.of("web", "worker", "web", "worker", "counterparties")
        victim = residents[int(trouble.victim * len(residents))]
        if trouble.kind == "kill":
            self.outcome.kills += 1
            self.house.kill(victim)
        elif trouble.kind == "pause":
            self.outcome.pauses += 1
            self.house.pause(victim, trouble.pause * self.run.lease)
        elif self.broker is not None:
            self.outcome.wipes += 1
            self.broker.wipe(queue_name(self.parts.engine))

    # --- the end ------------------------------------------------------------------------------------------------------

    def _judge(self) -> None:
        outcome = self.outcome
        statuses = [status for status, _, _ in self._seen().values()]
        outcome.orders, outcome.closed = len(statuses), statuses.count("closed")
        outcome.cancelled = statuses.count("cancelled")
        if outcome.orders != self.placed:
            outcome.violations.append(f"orders: {self.placed} were placed and {outcome.orders} are there")
        outcome.violations += self.house.fell
        outcome.violations += violations(self.parts)
        if self.plan.deaths:
            outcome.labels = len(self.expected)
            outcome.deaths = sum(points.deaths(self.run.deaths_log).values())
            outcome.missing = points.missing(self.run.deaths_log, self.expected, 1)
            outcome.violations += [f"points: “{label}” is in no list"
                                   for label in points.surprising(self.run.deaths_log, self.expected)]

    def _tell(self, seen: Mapping[str, tuple[str, int, int]]) -> None:
        ended = sum(status in ("closed", "cancelled") for status, _, _ in seen.values())
        met = f", {sum(points.deaths(self.run.deaths_log).values())} deaths at points" if self.plan.deaths else ""
        self.say(f"  {self.plan.backend}: {self.placed} orders placed, {ended} ended, {self.outcome.kills} kills, "
                 f"{self.outcome.pauses} pauses, {self.outcome.wipes} wipes{met}, it is {self.clock.now():%d %b %Y}")


_TOKENS = ("tok_good", "tok_capture_declined", "tok_declined_once", "tok_good", "tok_lost_reply", "tok_refund_refused",
           "tok_unavailable_once")


def _unusual(n: int) -> dict[str, Any]:
    """What is unusual about the n-th order of a run that must come past every point."""
    if n % 5 == 0:
        return {"payment_method": "bank_transfer"}
    if n % 5 < 3:
        return {"payment_method": "credit_card", "payment_token": _TOKENS[n % len(_TOKENS)]}
    return {}
