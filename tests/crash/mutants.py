"""Seven ways to spoil the engine, each with a scenario in which what was spoiled shows.

A harness that never fails proves nothing. Each mutant takes one safeguard away, by patching from here: the product has
no switch for it. Its scenario runs on the shipped diagram, once with the safeguard and once without, and is judged by
what it says about the engine directly and by the invariants of a demo run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import orjson
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

import app
from demo.tally import broken
from engine.base import EngineBase
from engine.commands import Commands
from engine.errors import Conflict
from engine.jobs import Claim, Jobs
from engine.store.tables import Job, Message
from engine.unit import Unit
from engine.views import SYSTEM
from settings import load
from tests.clock import MovableClock
from tests.scenarios.shop import PEOPLE, OrderHandle, Shop

# --- how the engine is spoiled ----------------------------------------------------------------------------------------


@contextmanager
def key_changes_per_attempt() -> Iterator[None]:
    """The other side cannot recognise a repeated request."""
    perform = Jobs._perform

    def spoiled(self: Jobs, claim: Claim) -> dict[str, Any]:
        return perform(self, replace(claim, key=f"{claim.key}:attempt-{claim.attempts}"))

    with patch.object(Jobs, "_perform", spoiled):
        yield


@contextmanager
def no_fence_check() -> Iterator[None]:
    """A worker that wakes after its lease is believed."""

    def spoiled(self: Jobs, tx: Session, claim: Claim, actor: Any = SYSTEM) -> Any:
        unit = Unit.lock(self, tx, actor, id_=claim.instance_id)
        job = tx.scalars(select(Job).where(Job.id == claim.id).execution_options(populate_existing=True)).one()
        return unit, job, unit.definition.diagram(job.process).elements.get(job.element or "")

    with patch.object(Jobs, "_hold", spoiled):
        yield


@contextmanager
def save_without_the_revision() -> Iterator[None]:
    """Whoever saves last wins."""
    guarded = Unit._update_instance

    def spoiled(self: Unit) -> None:
        newest = self.session.execute(
            select(type(self.row).revision).where(type(self.row).id == self.row.id)).scalar_one()
        self.row.revision = newest
        guarded(self)

    with patch.object(Unit, "_update_instance", spoiled):
        yield


@contextmanager
def message_not_deduplicated() -> Iterator[None]:
    """Every delivery of a message is a new message."""
    store = Commands._store

    def spoiled(self: Commands, tx: Session, message: Mapping[str, Any]) -> bool:
        so_far = tx.execute(select(func.count()).select_from(Message)).scalar_one()
        return store(self, tx, {**message, "message_id": f"{message['message_id']}#{so_far}"})

    with patch.object(Commands, "_store", spoiled):
        yield


@contextmanager
def job_enqueued_outside_the_transaction() -> Iterator[None]:
    """The command commits, and its jobs are queued afterwards."""
    update_instance, transaction = Unit._update_instance, EngineBase.transaction

    def without_jobs(self: Unit) -> None:
        if self.jobs:
            self.session.execute(delete(Job).where(Job.id.in_([job["id"] for job in self.jobs])))
            self.session.info.setdefault("afterwards", []).extend(self.jobs)
        update_instance(self)

    @contextmanager
    def jobs_afterwards(self: EngineBase, session: Session | None = None) -> Iterator[Session]:
        with transaction(self, session) as tx:
            yield tx
        if session is None and (jobs := tx.info.get("afterwards")):
            with self.database.write() as second:
                second.execute(insert(Job), jobs)

    with patch.object(Unit, "_update_instance", without_jobs), patch.object(EngineBase, "transaction", jobs_afterwards):
        yield


@contextmanager
def perform_repeated_when_finishing_failed() -> Iterator[None]:
    """The kept answer of the other side is not looked at."""
    run_job = Jobs.run_job

    def spoiled(self: Jobs, claim: Claim) -> None:
        run_job(self, replace(claim, result=None))

    with patch.object(Jobs, "run_job", spoiled):
        yield


@contextmanager
def result_dropped_when_the_token_is_gone() -> Iterator[None]:
    """An answer that comes after the order was cancelled is thrown away."""
    finish = Jobs._finish

    def spoiled(self: Jobs, tx: Session, claim: Claim, result: Mapping[str, Any]) -> None:
        held = self._hold(tx, claim)
        if held is None or held[1].task_id is None or held[1].task_id in held[0].run.live_ids():
            finish(self, tx, claim, result)
            return
        unit, job, _ = held
        self._close_job(job)
        unit.undo_when_quiet(finishing=job.id)
        unit.save()

    with patch.object(Jobs, "_finish", spoiled):
        yield


# --- in which scenario it shows ---------------------------------------------------------------------------------------


class Killed(BaseException):
    """The process ends here."""


def a_lost_reply(shop: Shop) -> list[str]:
    """The provider captured, its reply got lost, the worker asks again."""
    order = shop.places_order(payment_token="tok_lost_reply")
    order.is_approved("approve_reservation")
    shop.time_passes(minutes=10)
    return ends(shop, order)


def a_woken_zombie(shop: Shop) -> list[str]:
    """Two workers that slept past their leases wake when others have done the work: one to report, one to fail."""
    order = in_capture(shop)
    first = claim_of(shop, "payment.capture")
    lease_ends(shop, first)
    second = claim_of(shop, "payment.capture")
    lease_ends(shop, second)
    shop.engine.run_job(claim_of(shop, "payment.capture"))
    shop.works()
    before = (len(order.history()), shop.engine.job(first.id))
    said = []
    shop.engine.run_job(first)
    if (len(order.history()), shop.engine.job(first.id)) != before:
        said.append("a worker that woke too late has reported its result")
    with patch.object(Jobs, "_perform", _breaks):
        shop.engine.run_job(second)
    if shop.engine.job(first.id) != before[1]:
        said.append("a worker that woke too late has made a finished job fail")
    return said


def two_at_once(shop: Shop) -> list[str]:
    """Somebody loaded the order, and saves it when another command has moved it on."""
    order = shop.places_order().goes_to("prepare_shipment")
    said = []
    with shop.engine.reading() as other:
        old = Unit.lock(shop.engine, other, SYSTEM, key=order.number, reading=True)
        assert old.run.open_tasks()
        order.does("prepare_shipment")
        try:
            with shop.engine.transaction() as tx:
                old.session = tx
                old.save()
            said.append("an old picture of an order was saved over a newer one")
        except Conflict:
            pass
    return [*said, *broken(shop.engine, shop.parts.ports)]


def the_same_five_times(shop: Shop) -> list[str]:
    """The courier's webhook delivers one delay five times."""
    order = shop.places_order().goes_to("confirm_pickup")
    order.courier_reports("picked_up")
    booking = order.variables["booking"]["reference"]
    for _ in range(5):
        order.hears("courier.reported", "once", booking=booking, status="on_the_way", at=order._time(), place="Ulm")
    with shop.engine.reading() as session:
        stored = session.execute(select(func.count()).select_from(Message).where(
            Message.correlation == order.number, Message.message_id.startswith("once"))).scalar_one()
    taken = [e for e in order.history() if e.kind == "message" and str(e.detail["id"]).startswith("once")]
    said = [f"one message was stored {stored} times"] if stored != 1 else []
    said += [f"one message was taken {len(taken)} times"] if len(taken) != 1 else []
    return [*said, *ends(shop, order)]


def killed_after_the_commit(shop: Shop) -> list[str]:
    """The process dies when the order is committed, before it can do anything else."""

    def dies(*_due: Any) -> None:
        raise Killed

    order = shop.places_order()
    page = order.detail("approve_reservation", PEOPLE["stock-approver"]).approval
    assert page is not None
    shop.engine.on_wakeup = dies
    try:
        shop.engine.decide(order.task("approve_reservation").id, PEOPLE["stock-approver"], "approve", comment="",
                           snapshot=page.snapshot)
        raise AssertionError("nothing was queued")
    except Killed:
        shop.engine.on_wakeup = None
    shop.works()
    return ends(shop, order)


def finishing_fails_once(shop: Shop) -> list[str]:
    """The provider captured, and writing its answer down failed at first."""
    order = in_capture(shop)
    provider, asked = shop.parts.ports.payments, []
    faults, provider.faults = provider.faults, lambda method, key: asked.append((method, key))
    claim = claim_of(shop, "payment.capture")

    with patch.object(Jobs, "_finish", _breaks):
        shop.engine.run_job(claim)
    shop.time_passes(minutes=10)
    provider.faults = faults
    said = [f"the provider was asked again: {call}" for call in sorted({c for c in asked if asked.count(c) > 1})]
    return [*said, *ends(shop, order)]


def _breaks(*_arguments: Any) -> None:
    raise RuntimeError("This did not work.")


def cancelled_meanwhile(shop: Shop) -> list[str]:
    """The order is cancelled while the provider is being asked; the answer comes afterwards."""
    order = in_capture(shop)
    claim = claim_of(shop, "payment.capture")
    order.is_cancelled()
    shop.engine.run_job(claim)
    shop.works()
    return ends(shop, order)


def ends(shop: Shop, order: OrderHandle) -> list[str]:
    """What is wrong when everybody has given the usual answers."""
    try:
        order.goes_to_its_end()
    except AssertionError as stuck:
        return [str(stuck)]
    return broken(shop.engine, shop.parts.ports)


def in_capture(shop: Shop) -> OrderHandle:
    """An order whose capture has been queued and not taken up."""
    order = shop.places_order()
    page = order.detail("approve_reservation", PEOPLE["stock-approver"]).approval
    assert page is not None
    shop.engine.decide(order.task("approve_reservation").id, PEOPLE["stock-approver"], "approve", comment="",
                       snapshot=page.snapshot)
    return order


def claim_of(shop: Shop, operation: str) -> Claim:
    """A worker takes this job up; what else is due is done first."""
    while (claim := shop.engine.claim_next()) is not None:
        if claim.operation == operation:
            return claim
        shop.engine.run_job(claim)
    raise AssertionError(f"{operation} is not due")


def lease_ends(shop: Shop, claim: Claim) -> None:
    """The worker of this job sleeps longer than its lease."""
    with shop.engine.transaction() as session:
        session.execute(update(Job).where(Job.id == claim.id)
                        .values(lease_until=datetime.now(UTC) - timedelta(seconds=1)))


# --- both together ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mutant:
    """A safeguard that is taken away, and the scenario that misses it."""

    sabotage: Callable[[], AbstractContextManager[None]]
    scenario: Callable[[Shop], list[str]]
    """Returns what is wrong, a line each."""


MUTANTS = {
    "key changes per attempt": Mutant(key_changes_per_attempt, a_lost_reply),
    "no fence check": Mutant(no_fence_check, a_woken_zombie),
    "save without the revision": Mutant(save_without_the_revision, two_at_once),
    "message not deduplicated": Mutant(message_not_deduplicated, the_same_five_times),
    "job enqueued outside the transaction": Mutant(job_enqueued_outside_the_transaction, killed_after_the_commit),
    "perform repeated when finishing failed": Mutant(perform_repeated_when_finishing_failed, finishing_fails_once),
    "result dropped when the token is gone": Mutant(result_dropped_when_the_token_is_gone, cancelled_meanwhile),
}
NAMES: tuple[str, ...] = tuple(MUTANTS)


def is_caught(name: str, folder: Path) -> bool:
    """Whether a sabotaged run in an installation of its own, on SQLite in `folder`, is noticed."""
    mutant = MUTANTS[name]
    shop = _shop(folder)
    try:
        with mutant.sabotage():
            return bool(mutant.scenario(shop))
    finally:
        shop.parts.database.dispose()


def _shop(folder: Path) -> Shop:
    clock = MovableClock(datetime(2026, 11, 23, 8, 0, tzinfo=UTC))
    parts = app.build(load(var=folder, demo=True, database_url=f"sqlite:///{folder / 'waybill.db'}"), clock=clock)
    app.prepare(parts)
    parts.ports.renderer.pdf = lambda name, data: b"%PDF- " + name.encode() + orjson.dumps(data)  # type: ignore[method-assign]
    return Shop(parts, clock)
