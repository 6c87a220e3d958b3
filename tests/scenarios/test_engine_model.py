"""The engine against a small model of it: whatever people, workers and the world do, and in whatever order.

A worker is a claim that is held: it may be run, run twice, run after others have taken over, or never.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select, text, update

from engine import SYSTEM, Engine
from engine.errors import AlreadyDone, InvalidForm, SeparationOfDuties, StaleRevision, StaleSnapshot, TooLate
from engine.jobs import LEASE, Claim, Jobs
from engine.store.database import Database
from engine.store.tables import Instance, Job, Message, Task
from engine.unit import Unit
from engine.views import Actor, TaskView
from handlers.contract import GiveUp, TryAgain
from tests.clock import MovableClock
from tests.scenarios.conftest import SQLITE_USUALLY
from tests.scenarios.repairs import DESK, RECORDED, SIGNER, Outside, bundle, registry

BOUNDS = settings(max_examples=20, stateful_step_count=40, deadline=None, derandomize=True,
                  suppress_health_check=list(HealthCheck))
DESK_SIGNS = Actor("desk", frozenset({"signers"}))
picks = st.integers(0, 11)
ANSWERS = ["ok", "ok", "ok", "declined", "lost", "broken", "hopeless"]
FATES = ["does it", "does it", "does it twice", "cannot finish", "dies", "dies after acting", "falls asleep"]
FORMS = {"note": {"amount": 5}, "settle": {"done": True}, "chase": {"done": True}}
OPEN = ("ready", "leased", "dead")
_runs = itertools.count(1)


@dataclass
class Repair:
    """What the model knows of one order."""

    at: str = "note"
    """note, fork, sign, closed, cancelling (a call is awaited), undo, cancelled."""
    money: str = ""
    """In the fork: charge, settle, joined."""
    part: str = ""
    """In the fork: wait, chase, joined."""
    round: int = 0
    """How often the fork was reached."""
    charges: int = 0
    """How often the charge was reached."""

    @property
    def status(self) -> str:
        return {"undo": "cancelling", "cancelling": "cancelling"}.get(
            self.at, self.at if self.at in ("closed", "cancelled") else "open")

    @property
    def open(self) -> set[str]:
        if self.at == "fork":
            return {place for place in (self.money, self.part) if place in ("settle", "chase")}
        return {self.at} & {"note", "sign"}


@dataclass
class Work:
    """What the model knows of a job that somebody has taken up."""

    number: str
    kind: str
    element: str
    key: str
    round: int
    state: str = "ready"
    fence: int = 0
    answer: str | None = None
    """What the other side said, once it was kept."""


@dataclass
class Machine(RuleBasedStateMachine):
    """Rules change the engine and the model alike; the invariants compare them."""

    database: Database
    clock: MovableClock = field(default_factory=lambda: MovableClock(datetime(2026, 11, 23, 8, 0, tzinfo=UTC)))

    def __post_init__(self) -> None:
        super().__init__()
        run = next(_runs)
        self.numbers = [f"R{run}-{n}" for n in range(3)]
        self.outside = Outside()
        self.engine = Engine(self.database, registry(self.outside), self.clock)
        self.engine.deploy(bundle(), SYSTEM)
        self.machine_clock = datetime.now(UTC)
        self.database.lock_clock = lambda _session: self.machine_clock  # type: ignore[method-assign]
        self.orders: dict[str, Repair] = {}
        self.kept: dict[str, list[str]] = {number: [] for number in self.numbers}
        self.messages: set[str] = set()
        self.works: dict[str, Work] = {}
        self.claims: list[Claim] = []
        self.revisions: Counter[str] = Counter()
        self.frozen: dict[str, bytes] = {}

    @initialize()
    def opens(self) -> None:
        """Two orders are under way; the third is placed when somebody places it."""
        for number in self.numbers[:2]:
            self.engine.start("repair", number, DESK)
            self.orders[number] = Repair()
        for task in self.open_tasks("note"):
            self.completes(task)

    def __hash__(self) -> int:
        return id(self)

    def teardown(self) -> None:
        """What is left over is nobody's business any more."""
        with self.engine.transaction() as session:
            session.execute(update(Job).where(Job.state.in_(OPEN)).values(state="withdrawn"))

    # --- what people do -----------------------------------------------------------------------------------------------

    @rule(pick=st.integers(0, 2))
    def starts(self, pick: int) -> None:
        """A new order, or the same one again."""
        number = self.numbers[pick]
        _, new = self.engine.start("repair", number, DESK)
        assert new == (number not in self.orders)
        self.orders.setdefault(number, Repair())

    @rule(pick=picks, steps=st.integers(1, 6))
    def usual(self, pick: int, steps: int) -> None:
        """People fill in what is open, and a worker does what is due."""
        for n in range(pick, pick + steps):
            tasks = self.open_tasks(*FORMS)
            if tasks and n % 3:
                self.completes(self.picked(tasks, n))
            elif (claim := self.takes()) is not None:
                with self.answering("ok", claim):
                    self.run(claim)

    def completes(self, task: TaskView) -> None:
        """A form that is right; a second time is too late."""
        self.engine.complete(task.id, DESK, FORMS[task.element], revision=task.revision)
        order = self.orders[task.order]
        if task.element == "note":
            self.forks(task.order)
        elif task.element == "settle":
            order.money, order.charges = "charge", order.charges + 1
        else:
            order.part = "joined"
        self.joins(order)
        with self.nothing_happens(), pytest.raises(AlreadyDone):
            self.engine.complete(task.id, DESK, FORMS[task.element])

    @precondition(lambda self: self.open_tasks(*FORMS))
    @rule(pick=picks)
    def completes_wrongly(self, pick: int) -> None:
        """A form that is wrong, one of an older page, one of a stranger: nothing happens."""
        task = self.picked(self.open_tasks(*FORMS), pick)
        with self.nothing_happens():
            with pytest.raises(InvalidForm):
                self.engine.complete(task.id, DESK, {"nonsense": "x"})
            with pytest.raises(StaleRevision):
                self.engine.complete(task.id, DESK, FORMS[task.element], revision=task.revision - 1)

    @precondition(lambda self: self.open_tasks("sign"))
    @rule(pick=picks, decision=st.sampled_from(["approve", "send_back", "send_back", "reject"]))
    def decides(self, pick: int, decision: str) -> None:
        """A gate is signed, sent back or rejected; by the wrong person or on an old page it is not."""
        task = self.picked(self.open_tasks("sign"), pick)
        page = self.engine.task(task.id, SIGNER).approval
        assert page is not None
        with pytest.raises(StaleSnapshot):
            self.engine.decide(task.id, SIGNER, "approve", comment="", snapshot="an old page")
        with pytest.raises(SeparationOfDuties):
            self.engine.decide(task.id, DESK_SIGNS, "approve", comment="", snapshot=page.snapshot)
        self.engine.decide(task.id, SIGNER, decision, comment="So.", snapshot=page.snapshot,  # type: ignore[arg-type]
                           send_back_to=1 if decision == "send_back" else None)
        order = self.orders[task.order]
        order.at = {"approve": "closed", "send_back": "note", "reject": "cancelling"}[decision]
        self.undoes(task.order)

    @precondition(lambda self: any(order.at != "note" for order in self.orders.values()))
    @rule(pick=picks)
    def cancels(self, pick: int) -> None:
        """Once; again changes nothing, and too late is too late."""
        number = self.picked(sorted(n for n, order in self.orders.items() if order.at != "note"), pick)
        order = self.orders[number]
        if order.at == "closed":
            with pytest.raises(TooLate):
                self.engine.cancel(number, DESK, "No more.")
            return
        _, began = self.engine.cancel(number, DESK, "No more.")
        assert began == (order.status == "open")
        if began:
            order.at = "cancelling"
            self.undoes(number)

    @precondition(lambda self: any(work.state == "dead" for work in self.works.values()))
    @rule(pick=picks)
    def retries(self, pick: int) -> None:
        """A person puts an incident back to work."""
        dead = self.picked(sorted(id_ for id_, work in self.works.items() if work.state == "dead"), pick)
        self.engine.retry(dead, DESK)
        self.works[dead].state = "ready"

    # --- what the world does ------------------------------------------------------------------------------------------

    @rule(pick=picks, known=st.integers(0, 5))
    def hears(self, pick: int, known: int) -> None:
        """A message: early, in time, late, twice, or of an order that nobody has placed yet."""
        number = self.numbers[pick % 3]
        id_ = f"{number}:{known}"
        new = self.engine.deliver("part.came", number, {}, source="world", message_id=id_)
        assert new == (id_ not in self.messages)
        if new:
            self.messages.add(id_)
            self.kept[number].append(id_)
            self.takes_message(number)

    @rule(hours=st.sampled_from([0.01, 0.2, 25]))
    def time_passes(self, hours: float) -> None:
        """The engine's clock moves."""
        self.clock.advance(hours=hours)

    @precondition(lambda self: any(work.state == "leased" for work in self.works.values()))
    @rule()
    def leases_end(self) -> None:
        """Every worker that holds a job has slept too long, or is dead."""
        self.machine_clock += LEASE + timedelta(seconds=1)

    # --- what workers do ----------------------------------------------------------------------------------------------

    @rule(fate=st.sampled_from(FATES), answers=st.sampled_from(ANSWERS))
    def works(self, fate: str, answers: str) -> None:
        """A worker takes the next job, perhaps one that another has held too long, and does it, or what befalls it."""
        claim = self.takes()
        if claim is None:
            return
        if fate == "falls asleep":
            self.claims.append(claim)
            return
        with self.answering(answers, claim):
            match fate:
                case "does it":
                    self.run(claim)
                case "does it twice":
                    self.run(claim)
                    with self.nothing_happens():
                        self.engine.run_job(claim)
                case "cannot finish" if claim.kind == "operation":
                    self.cannot_finish(claim)
                case "dies after acting" if claim.kind == "operation" and claim.result is None:
                    with suppress(TryAgain, GiveUp, RuntimeError):
                        self.engine._perform(claim)

    @precondition(lambda self: self.claims)
    @rule(pick=picks, answers=st.sampled_from(ANSWERS))
    def wakes(self, pick: int, answers: str) -> None:
        """A worker that slept does what it took, whether it still holds it or not."""
        claim = self.picked(self.claims, pick)
        self.claims.remove(claim)
        with self.answering(answers, claim):
            self.run(claim)

    def takes(self) -> Claim | None:
        """The next claim, known to the model. Time passes until something is due, or somebody's lease is over."""
        claim = self.engine.claim_next()
        if claim is None and (due := self.engine.next_due()) is not None:
            self.clock.jump_to(due)
            claim = self.engine.claim_next()
        if claim is None:
            self.machine_clock += LEASE + timedelta(seconds=1)
            claim = self.engine.claim_next()
        if claim is None:
            return None
        if claim.id not in self.works:  # nobody has touched it so far: it belongs to where the order is now
            job = self.job(claim.id)
            self.works[claim.id] = Work(job.business_key, job.kind, job.element or "", job.key,
                                        self.orders[job.business_key].round)
        work = self.works[claim.id]
        work.fence, work.state = work.fence + 1, "leased"
        assert claim.fence == work.fence
        return claim

    def cannot_finish(self, claim: Claim) -> None:
        """The other side has answered, and the answer cannot be written down."""
        work, asked = self.works[claim.id], len(self.outside.asked[claim.key])
        with patch.object(Jobs, "_finish", _breaks):
            self.engine.run_job(claim)
        assert len(self.outside.asked[claim.key]) == asked + (work.answer is None)
        answer = work.answer or self.answered(self.outside.answers, work)
        work.answer = answer if answer in ("ok", "declined") else None
        self.fails(claim)

    # --- the model ----------------------------------------------------------------------------------------------------

    def run(self, claim: Claim) -> None:
        """Runs a job in the engine and in the model."""
        work, asked = self.works[claim.id], len(self.outside.asked[claim.key])
        if not self.holds(claim):
            with self.nothing_happens():
                self.engine.run_job(claim)
            return
        self.engine.run_job(claim)
        if work.kind != "operation":
            work.state = "done"
            order = self.orders[work.number]
            if work.kind == "timer" and (order.at, order.part, order.round) == ("fork", "wait", work.round):
                order.part = "chase"
            return
        if work.answer is not None:
            assert len(self.outside.asked[claim.key]) == asked, "what was performed is never performed again"
        answer = work.answer or self.answered(self.outside.answers, work)
        if answer in ("lost", "broken", "hopeless"):
            self.fails(claim)
            return
        work.state = "done"
        self.goes_on(work, answer)

    def fails(self, claim: Claim) -> None:
        """A job that failed waits for its next attempt, or for a person."""
        state = self.job(claim.id).state
        assert state in ("ready", "dead")
        self.works[claim.id].state = state

    def goes_on(self, work: Work, answer: str) -> None:
        order = self.orders[work.number]
        if work.element == "pay_back":
            order.at = "cancelled"
        elif (order.at, order.money) == ("fork", "charge") and work.key == f"{work.number}:charge:{order.charges}":
            order.money = "joined" if answer == "ok" else "settle"
            self.joins(order)
        self.undoes(work.number)

    def forks(self, number: str) -> None:
        order = self.orders[number]
        order.at, order.money, order.part = "fork", "charge", "wait"
        order.round, order.charges = order.round + 1, order.charges + 1
        self.takes_message(number)

    def takes_message(self, number: str) -> None:
        order = self.orders.get(number)
        if order is not None and (order.at, order.part) == ("fork", "wait") and self.kept[number]:
            self.kept[number].pop(0)
            order.part = "joined"
            self.joins(order)

    @staticmethod
    def joins(order: Repair) -> None:
        if order.at == "fork" and order.money == order.part == "joined":
            order.at = "sign"

    def undoes(self, number: str) -> None:
        """A cancelled order is undone as soon as no call is under way any more."""
        order = self.orders[number]
        calls = [work for work in self.works.values() if (work.number, work.element) == (number, "charge")]
        if order.at == "cancelling" and not any(work.state in OPEN for work in calls):
            order.at = "undo"

    def holds(self, claim: Claim) -> bool:
        """Whether this worker still has its job."""
        work = self.works[claim.id]
        return work.state == "leased" and work.fence == claim.fence and self.job(claim.id).state == "leased"

    @staticmethod
    def answered(answers: str, work: Work) -> str:
        return "ok" if work.element == "pay_back" and answers == "declined" else answers

    # --- words --------------------------------------------------------------------------------------------------------

    @contextmanager
    def answering(self, answers: str, claim: Claim) -> Iterator[None]:
        self.outside.answers = self.answered(answers, self.works[claim.id])
        yield

    @contextmanager
    def nothing_happens(self) -> Iterator[None]:
        before = self.everything()
        yield
        assert self.everything() == before

    def everything(self) -> Any:
        """All rows of this run's orders that a command could change."""
        mine = {Instance: Instance.business_key, Task: Task.business_key, Job: Job.business_key,
                Message: Message.correlation}
        with self.engine.reading() as session:
            rows = [session.execute(select(*table.__table__.columns).where(key.in_(self.numbers))).all()
                    for table, key in mine.items()]
        return [sorted(map(repr, each)) for each in rows], self.recorded()

    def recorded(self) -> Counter[str]:
        with self.engine.reading() as session:
            rows = session.execute(text(f"SELECT key FROM {RECORDED}")).scalars()
            return Counter(key for key in rows if key.split(":")[0] in self.numbers)

    def open_tasks(self, *elements: str) -> list[Any]:
        rows = [task for number in sorted(self.orders) for task in self.engine.order_tasks(number)]
        return [task for task in rows if task.state == "open" and task.element in elements]

    def job(self, id_: str) -> Job:
        with self.engine.reading() as session:
            return session.get_one(Job, id_)

    @staticmethod
    def picked(choices: Any, pick: int) -> Any:
        return choices[pick % len(choices)]

    # --- what must hold after every step ------------------------------------------------------------------------------

    @invariant()
    def orders_are_where_the_model_says(self) -> None:
        for number, order in self.orders.items():
            view = self.engine.instance(number)
            assert view.status == order.status, number
            assert {task.element for task in self.open_tasks(*FORMS, "sign") if task.order == number} == order.open

    @invariant()
    def rows_are_what_the_tokens_say(self) -> None:
        for number in self.orders:
            with self.engine.reading() as session:
                unit = Unit.lock(self.engine, session, SYSTEM, key=number, reading=True)
                jobs = list(session.scalars(select(Job).where(Job.instance_id == unit.row.id, Job.state.in_(OPEN))))
                tasks = set(session.scalars(select(Task.id).where(
                    Task.instance_id == unit.row.id, Task.state == "open")))
            live = unit.run.live_ids()
            assert tasks == {task.id for task in unit.run.open_tasks()}
            waiting = Counter((job.kind, job.task_id) for job in jobs if job.task_id in live and job.kind != "due")
            timers = {("timer", timer.task_id) for timer in unit.run.timers()}
            assert {entry for entry in waiting if entry[0] == "timer"} == timers
            assert set(waiting.values()) <= {1}
            order = self.orders[number]
            called = order.at == "undo" or (order.at, order.money) == ("fork", "charge")
            assert sum(entry[0] == "operation" for entry in waiting) == called
            orphans = [job for job in jobs if job.task_id not in live and job.state != "leased"]
            assert all(job.kind == "operation" and job.attempts for job in orphans)

    @invariant()
    def history_is_one_chain_and_revisions_grow(self) -> None:
        for number in self.orders:
            assert self.engine.verify_audit(number) == []
            with self.engine.reading() as session:
                revision = session.scalars(select(Instance.revision).where(Instance.business_key == number)).one()
            assert revision >= self.revisions[number]
            self.revisions[number] = revision

    @invariant()
    def each_effect_is_asked_for_as_it_was_frozen_and_recorded_once(self) -> None:
        with self.engine.reading() as session:
            jobs = list(session.scalars(select(Job).where(
                Job.business_key.in_(self.numbers), Job.kind == "operation")))
        for job in jobs:
            assert self.frozen.setdefault(job.key, job.arguments) == job.arguments
        assert all(len(set(asked)) <= 1 for asked in self.outside.asked.values())
        assert self.recorded() == Counter(job.key for job in jobs if job.state == "done")

    @invariant()
    def each_message_is_taken_at_most_once(self) -> None:
        kept = [id_ for ids in self.kept.values() for id_ in ids]
        with self.engine.reading() as session:
            free = session.scalars(select(Message.message_id).where(
                Message.correlation.in_(self.numbers), Message.consumed_at.is_(None)))
            assert sorted(free) == sorted(kept)
        taken = Counter(e.detail["id"] for number in self.orders for e in self.engine.history(number)
                        if e.kind == "message")
        assert taken == Counter(self.messages - set(kept))


def _breaks(*_arguments: Any) -> None:
    raise RuntimeError("The disk is full.")


@SQLITE_USUALLY
@pytest.mark.slow
def test_the_engine_does_what_the_model_says(database: Database) -> None:
    """Starts, forms, gates, messages, timers, cancels, deaths, zombies, retries."""
    with database.write() as session:
        session.execute(text(f"CREATE TABLE {RECORDED} (key VARCHAR(200))"))
    try:
        run_state_machine_as_test(
            lambda: Machine(database),
            settings=BOUNDS if database.is_sqlite else settings(BOUNDS, max_examples=6),  # a commit takes it longer
        )
    finally:
        with database.write() as session, suppress(Exception):
            session.execute(text(f"DROP TABLE {RECORDED}"))
