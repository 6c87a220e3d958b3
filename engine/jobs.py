"""Jobs: claimed with lease and fence, performed with no transaction open, finished in a command.

A timer, a reminder, a failed step and an external operation are all jobs; only the last one acts outside.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, func, not_, or_, select, update
from sqlalchemy.orm import Session

from engine.codec import pack, unpack
from engine.definitions import Element
from engine.errors import DatabaseTrouble
from engine.migration import Migrations
from engine.operations import describe, freeze, thaw
from engine.store.tables import Job, Task
from engine.unit import Unit
from engine.views import SYSTEM, Actor
from handlers.contract import USUAL_RETRY, GiveUp, Refused, RetryPolicy, TryAgain, time_limit

LEASE = timedelta(seconds=30)
"""How long a claimed job belongs to its worker; at least twice the contract's `CALL_SECONDS`."""
NOBODY_CAME = timedelta(minutes=1)
CLOCK_SLACK = timedelta(seconds=5)
"""Clocks are put right by less than this all the time; by more, and the clock was set."""
_OWNER = f"{socket.gethostname()}:{os.getpid()}"


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that this worker holds until its lease ends."""

    id: str
    instance_id: str
    kind: str
    operation: str | None
    key: str
    arguments: bytes
    fence: int
    attempts: int
    max_attempts: int
    result: bytes | None


def lease_is_over(machine_now: datetime) -> ColumnElement[bool]:
    """Whether the worker of a job has died, or sleeps.

    A lease that ends later than one that is given now was given before the clock was set back: nobody can tell how
    much of it is left, and a dead worker's job would wait for as long as the clock was wrong.
    """
    return or_(Job.lease_until < machine_now, Job.lease_until > machine_now + LEASE + CLOCK_SLACK)


class Jobs(Migrations):
    """Work, and the commands that jobs give."""

    _clock_seen: datetime | None = None
    """What the engine's clock said when this process last looked for work."""

    def work(self, *, limit: int | None = None) -> int:
        """Runs jobs that are due, one after the other, at most `limit`; returns how many."""
        done = 0
        while limit is None or done < limit:
            claim = self.claim_next()
            if claim is None:
                break
            self.run_job(claim)
            done += 1
        return done

    def next_due(self) -> datetime | None:
        """When the next waiting job falls due."""
        with self.reading() as session:
            return session.execute(
                select(Job.run_at).where(Job.state == "ready").order_by(Job.run_at).limit(1)
            ).scalar_one_or_none()

    def held(self) -> int:
        """How many jobs a worker holds now, also one that has died: their lease ends by the wall clock."""
        with self.reading() as session:
            return session.execute(select(func.count()).select_from(Job).where(Job.state == "leased")).scalar_one()

    def nobody_works(self) -> bool:
        """Whether no worker seems to be there: a job has been due for longer than a minute, and nobody holds any."""
        with self.reading() as session:
            over = lease_is_over(self.database.lock_clock(session))
            held = select(Job.id).where(Job.state == "leased", not_(over))
            return bool(self.overdue(NOBODY_CAME, limit=1)) and session.execute(held.limit(1)).first() is None

    def overdue(self, by: timedelta, *, limit: int) -> list[str]:
        """Jobs that have been due for so long and that nobody has taken, the oldest first."""
        self._look_at_clock()
        late = select(Job.id).where(Job.state == "ready", Job.run_at <= self.clock.now() - by)
        with self.reading() as session:
            return list(session.scalars(late.order_by(Job.run_at).limit(limit)))

    def orphaned(self, *, limit: int) -> list[str]:
        """Jobs whose workers have died, the oldest first."""
        with self.reading() as session:
            over = select(Job.id).where(Job.state == "leased", lease_is_over(self.database.lock_clock(session)))
            return list(session.scalars(over.order_by(Job.lease_until).limit(limit)))

    def claim_next(self) -> Claim | None:
        """Claims the job that is due longest, or one whose worker has died."""
        return self._claim()

    def claim_job(self, job_id: str) -> Claim | None:
        """Claims this one job, when it is due or its worker has died; else None."""
        return self._claim(job_id)

    def _claim(self, job_id: str | None = None) -> Claim | None:
        self._look_at_clock()
        with self.reading() as session:  # an idle worker takes no write lock
            due = self._due(self.database.lock_clock(session), job_id)
            found = [
                n for n, statement in enumerate(due)
                if session.execute(statement.with_only_columns(Job.id)).first() is not None
            ]
        if not found:
            return None
        with self.transaction() as tx:
            tx.connection()  # on SQLite others are waited for here, and what was due may be another's by now
            machine_now = self.database.lock_clock(tx)
            due = self._due(machine_now, job_id)
            looked = (tx.scalars(self.database.skip_locked(due[n])).first() for n in found)
            row = next((row for row in looked if row is not None), None)
            if row is None:
                return None
            killed_all = row.state == "leased" and row.attempts >= row.max_attempts
            row.state, row.fence, row.attempts = "leased", row.fence + 1, row.attempts + 1
            row.lease_owner = f"{_OWNER}:{threading.get_ident()}"[:80]
            row.lease_until, row.updated_at = machine_now + LEASE, self.clock.now()
            claim = Claim(row.id, row.instance_id, row.kind, row.operation, row.key, row.arguments, row.fence,
                          row.attempts, row.max_attempts, row.result)
        if not killed_all:
            return claim
        self._fail(claim, "Every worker that took this job stopped without an answer.", allowed=0)
        return self._claim(job_id)

    def _due(self, machine_now: datetime, job_id: str | None) -> tuple[Select[tuple[Job]], Select[tuple[Job]]]:
        """What may be claimed: a job whose worker has died, then the one that is due longest.

        Two statements, each along an index of its own that ends at its first row. One for both would read and sort
        everything that is due, at every claim.
        """
        orphaned = (
            select(Job).where(Job.state == "leased", lease_is_over(machine_now)).order_by(Job.lease_until).limit(1)
        )
        ready = select(Job).where(Job.state == "ready", Job.run_at <= self.clock.now()).order_by(Job.run_at).limit(1)
        if job_id is None:
            return orphaned, ready
        return orphaned.where(Job.id == job_id), ready.where(Job.id == job_id)

    def _look_at_clock(self) -> None:
        """Makes jobs due at once that would wait until a clock that was set back has come to where it was.

        Looks when this process begins, and when the clock is behind where it was seen last. Timers and due times keep
        the time for which they were set.
        """
        now, seen = self.clock.now(), self._clock_seen
        if seen is None or now < seen - CLOCK_SLACK:
            waiting = (Job.state == "ready", Job.kind.not_in(("timer", "due")), Job.updated_at > now + CLOCK_SLACK)
            with self.reading() as session:
                found = session.execute(select(Job.id).where(*waiting).limit(1)).first()
            if found is not None:
                with self.transaction() as tx:
                    tx.execute(update(Job).where(*waiting).values(run_at=now, updated_at=now))
        self._clock_seen = now

    def run_job(self, claim: Claim) -> None:
        """Performs and finishes one claimed job. Whatever goes wrong ends up in the job's row."""
        if claim.kind != "operation":
            self._attempt(claim, lambda: self.command(lambda tx: self._command(tx, claim)))
            return
        result: Any = unpack(claim.result) if claim.result else None
        if claim.result is None:
            try:
                result = self._perform(claim)
            except TryAgain as error:
                self._fail(claim, str(error), allowed=claim.max_attempts, after=error.after)
                return
            except GiveUp as error:
                self._fail(claim, str(error), allowed=0)
                return
            except Exception as error:  # noqa: BLE001 - an operation may fail in any way
                self._fail_unforeseen(claim, error)
                return
        # what was performed is never performed again: if finishing fails, only finishing is repeated
        self._attempt(claim, lambda: self.command(lambda tx: self._finish(tx, claim, result)), result=result)

    def _perform(self, claim: Claim) -> dict[str, Any]:
        """Acts outside; a refusal is a result too."""
        operation = self.registry[claim.operation or ""]
        assert operation.external is not None
        arguments = thaw(operation.arguments_type, unpack(claim.arguments))
        try:
            with time_limit():
                return {"value": freeze(operation.external.perform(arguments, claim.key))}
        except Refused as refusal:
            return {"refused": {"code": refusal.code, "message": refusal.message}}

    def _attempt(self, claim: Claim, work: Any, *, result: Any = None) -> None:
        try:
            work()
        except DatabaseTrouble as trouble:
            self._give_back(claim, trouble, result=result)
        except Exception as error:  # noqa: BLE001 - a failed command must not stop the worker
            self._fail_unforeseen(claim, error, result=result)

    def _hold(self, tx: Session, claim: Claim, actor: Actor = SYSTEM) -> tuple[Unit, Job, Element | None] | None:
        """Locks instance and job; None when another worker holds the job by now."""
        unit = Unit.lock(self, tx, actor, id_=claim.instance_id)
        job = tx.scalars(
            select(Job).where(Job.id == claim.id).with_for_update().execution_options(populate_existing=True)
        ).one()
        if job.state != "leased" or job.fence != claim.fence:
            return None
        element = unit.definition.find(job.process, job.element or "")
        return unit, job, element

    def _close_job(self, job: Job, state: str = "done", result: Any = None) -> None:
        job.state, job.lease_owner, job.lease_until, job.updated_at = state, None, None, self.clock.now()
        job.error = None
        if result is not None:
            job.result = pack(result)

    # --- finishing an external operation ------------------------------------------------------------------------------

    def _finish(self, tx: Session, claim: Claim, result: Mapping[str, Any]) -> None:
        held = self._hold(tx, claim)
        if held is None:
            return
        unit, job, element = held
        assert element is not None
        assert job.operation is not None
        self._close_job(job, result=result)
        refusal = Refused(**result["refused"]) if "refused" in result else None
        live = unit.process == job.process and job.task_id in unit.run.live_ids()
        if refusal is None:
            value = unit.record(job.operation, element, job.key, job.arguments, result["value"])
            self._go_on(unit, job, element, value, live=live)
        else:
            unit.record_refusal(job.operation, element, job.key, job.arguments, refusal)
            if live and job.task_id is not None:
                unit.refuse(job.task_id, element, refusal, operation=job.operation)
            else:
                unit.event("recorded", element, actor=SYSTEM.name, operation=job.operation,
                           refused=refusal.message)
        unit.undo_when_quiet(finishing=job.id)
        if live:
            unit.advance()
        unit.save()

    def _go_on(self, unit: Unit, job: Job, element: Element, value: Any, *, live: bool) -> None:
        """Moves the token on; when it is gone, or there was none, the result is only noted in the history."""
        if job.task_id is not None and live:
            variable = unit.run.result_variable(job.task_id)
            if variable:
                unit.variables[variable] = value
            unit.completed(element, operation=job.operation)
            unit.run.complete_operation(job.task_id)
        else:
            unit.event("recorded", element, actor=SYSTEM.name, operation=job.operation, result=value)

    # --- the other kinds ----------------------------------------------------------------------------------------------

    def _command(self, tx: Session, claim: Claim) -> None:
        held = self._hold(tx, claim)
        if held is None:
            return
        unit, job, element = held
        self._close_job(job)
        if job.kind == "form":
            tx.flush()
            self.repeat_form(tx, job, unpack(job.arguments))
            return
        if job.kind == "decision":
            tx.flush()
            self.repeat_decision(tx, job, unpack(job.arguments))
            return
        if job.kind == "message":
            unit.advance()
            unit.save()
            return
        if job.kind == "move":
            tx.flush()
            self.move(tx, unit, unpack(job.arguments))
            return
        if element is None:
            return  # the order was moved to a version that has no such timer or task
        if job.kind == "due":
            self._due_task(tx, unit, job, element)
        elif job.kind == "timer":
            if unit.run.fire_timer(job.task_id or "", element.id):
                unit.event("timer", element, actor=SYSTEM.name)
                unit.told.add(element.id)
                unit.reason = f"{element.name}."
                unit.advance()
        elif job.kind in ("step", "gate"):
            self._repeat_step(unit, job, element)
        unit.save()

    def _repeat_step(self, unit: Unit, job: Job, element: Element) -> None:
        """Calls a failed operation once more; when it fails again, this same job is the incident."""
        if unit.run.repeat_operation(job.task_id or ""):
            unit.completed(element)
        again = [new for new in unit.jobs if new["kind"] in ("step", "gate") and new["task_id"] == job.task_id]
        for new in again:
            unit.jobs.remove(new)
            job.state, job.kind, job.error = "dead", new["kind"], new["error"]
        if not again:
            unit.advance()

    def _due_task(self, tx: Session, unit: Unit, job: Job, element: Element) -> None:
        """Reminds when a task falls due, and escalates when as much time again has passed."""
        task = tx.get(Task, job.task_id)
        if task is None or task.state != "open":
            return
        if unpack(job.arguments)["phase"] == "reminder":
            unit.event("reminder", element, actor=SYSTEM.name, assignee=task.assignee, team=task.team)
            has_it = task.assignee if task.kind == "form" else None  # a gate is everybody's who may sign it
            unit.tell(element, f"{job.key}:tell", "reminder", task=task.id, title=task.name,
                      teams=() if has_it else (task.team,), people=(has_it,) if has_it else ())
            if task.escalate_to:
                unit.add_job("due", task_id=task.id, element=element, key=f"{task.id}:escalate",
                             run_at=task.due_at + (task.due_at - task.created_at), arguments={"phase": "escalate"})
        else:
            task.priority, task.revision = 1, task.revision + 1
            unit.event("escalated", element, actor=SYSTEM.name, to=task.escalate_to)
            unit.tell(element, f"{job.key}:tell", "escalated", task=task.id, title=task.name,
                      teams=(task.escalate_to,) if task.escalate_to else ())

    # --- failing ------------------------------------------------------------------------------------------------------

    def _give_back(self, claim: Claim, trouble: DatabaseTrouble, *, result: Any = None) -> None:
        """Puts a job back because the database failed and not the job: the attempt does not count.

        DatabaseTrouble when not even that can be written: the job is taken again when its lease ends.
        """
        with self.transaction() as tx:
            held = self._hold(tx, claim)
            if held is None:
                return
            _, job, _ = held
            self._close_job(job, "ready", result)
            job.attempts = claim.attempts - 1
            job.run_at = self.clock.now() + timedelta(seconds=trouble.retry_after)

    def _fail_unforeseen(self, claim: Claim, error: Exception, *, result: Any = None) -> None:
        allowed = min(self._policy(claim).unforeseen, claim.max_attempts)
        self._fail(claim, describe(error), allowed=allowed, result=result)

    def _policy(self, claim: Claim) -> RetryPolicy:
        operation = self.registry.get(claim.operation or "")
        return operation.retry if operation is not None else USUAL_RETRY

    def _fail(
        self, claim: Claim, error: str, *, allowed: int, after: timedelta | None = None, result: Any = None
    ) -> None:
        """Puts a job back for a later attempt; after the last one it is an incident."""
        with self.transaction() as tx:
            held = self._hold(tx, claim)
            if held is None:
                return
            unit, job, element = held
            error = error.replace("\0", " ").encode(errors="replace").decode()[:1000]
            now = self.clock.now()
            again = self._policy(claim).next_attempt(claim.attempts, claim.key, now, allowed=allowed, after=after)
            if again is None and job.kind == "move":
                self.give_up_move(tx, unpack(job.arguments), job.instance_id, error)
                self._close_job(job)
                return
            self._close_job(job, "dead" if again is None else "ready", result)
            job.error, job.run_at = error, again or now
            if again is None:
                unit.event("incident", element, actor=SYSTEM.name, error=error, operation=job.operation,
                           attempts=claim.attempts)
                unit.save()
