"""Jobs: claimed with lease and fence, performed with no transaction open, finished in a command.

A timer, a reminder, a failed step and an external operation are all jobs; only the last one acts outside.
"""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from engine.approvals import Approvals
from engine.codec import pack, unpack
from engine.definitions import Element
from engine.errors import Conflict, NotFound
from engine.operations import describe, freeze, thaw
from engine.rows import job_view
from engine.store.tables import Job, Task
from engine.unit import Unit
from engine.views import SYSTEM, Actor, JobView
from handlers.contract import Refused, TryAgain

LEASE = timedelta(seconds=30)
"""How long a claimed job belongs to its worker. Time-outs of outside calls stay under half of it."""
UNFORESEEN_ATTEMPTS = 3
"""A failure that is no `TryAgain` is tried this often before it becomes an incident."""
_OWNER = f"{socket.gethostname()}:{os.getpid()}"


def retry_after(attempt: int, key: str) -> timedelta:
    """Back-off before the next attempt: doubles from one second to five minutes, with jitter drawn from the key."""
    base = float(min(2 ** (attempt - 1), 300))
    jitter = int.from_bytes(hashlib.sha256(f"{key}:{attempt}".encode()).digest()[:2], "big") / 65535
    return timedelta(seconds=base * (0.75 + 0.5 * jitter))


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


class Jobs(Approvals):
    """Work, retry, and the commands that jobs give."""

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

    def claim_next(self) -> Claim | None:
        """Claims the job that is due longest, or one whose worker has died."""
        with self.reading() as session:  # an idle worker takes no write lock
            if session.execute(self._due(session).with_only_columns(Job.id)).first() is None:
                return None
        with self.transaction() as tx:
            row = tx.scalars(self.database.skip_locked(self._due(tx))).first()
            if row is None:
                return None
            killed_all = row.state == "leased" and row.attempts >= row.max_attempts
            row.state, row.fence, row.attempts = "leased", row.fence + 1, row.attempts + 1
            row.lease_owner = f"{_OWNER}:{threading.get_ident()}"[:80]
            row.lease_until, row.updated_at = self.database.lock_clock(tx) + LEASE, self.clock.now()
            claim = Claim(row.id, row.instance_id, row.kind, row.operation, row.key, row.arguments, row.fence,
                          row.attempts, row.max_attempts, row.result)
        if not killed_all:
            return claim
        self._fail(claim, "Every worker that took this job stopped without an answer.", attempts=0)
        return self.claim_next()

    def _due(self, session: Session) -> Any:
        ready = and_(Job.state == "ready", Job.run_at <= self.clock.now())
        orphaned = and_(Job.state == "leased", Job.lease_until < self.database.lock_clock(session))
        return select(Job).where(or_(ready, orphaned)).order_by(Job.run_at).limit(1)

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
                self._fail(claim, str(error), attempts=claim.max_attempts)
                return
            except Exception as error:  # noqa: BLE001 - an operation may fail in any way
                self._fail(claim, describe(error), attempts=UNFORESEEN_ATTEMPTS)
                return
        # what was performed is never performed again: if finishing fails, only finishing is repeated
        self._attempt(claim, lambda: self.command(lambda tx: self._finish(tx, claim, result)), result=result)

    def _perform(self, claim: Claim) -> dict[str, Any]:
        """Acts outside; a refusal is a result too."""
        operation = self.registry[claim.operation or ""]
        assert operation.external is not None
        arguments = thaw(operation.arguments_type, unpack(claim.arguments))
        try:
            return {"value": freeze(operation.external.perform(arguments, claim.key))}
        except Refused as refusal:
            return {"refused": {"code": refusal.code, "message": refusal.message}}

    def _attempt(self, claim: Claim, work: Any, *, result: Any = None) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - a failed command must not stop the worker
            self._fail(claim, describe(error), attempts=UNFORESEEN_ATTEMPTS, result=result)

    def _hold(self, tx: Session, claim: Claim, actor: Actor = SYSTEM) -> tuple[Unit, Job, Element | None] | None:
        """Locks instance and job; None when another worker holds the job by now."""
        unit = Unit.lock(self, tx, actor, id_=claim.instance_id)
        job = tx.scalars(
            select(Job).where(Job.id == claim.id).with_for_update().execution_options(populate_existing=True)
        ).one()
        if job.state != "leased" or job.fence != claim.fence:
            return None
        element = unit.definition.diagram(job.process).elements.get(job.element or "")
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
        assert element is not None
        if job.kind == "due":
            self._due_task(tx, unit, job, element)
        elif job.kind == "timer":
            if unit.run.fire_timer(job.task_id or "", element.id):
                unit.event("timer", element, actor=SYSTEM.name)
                unit.told.add(element.id)
                unit.reason = f"{element.name}."
                unit.advance()
        elif job.kind == "step":
            self._repeat_step(unit, job, element)
        unit.save()

    def _repeat_step(self, unit: Unit, job: Job, element: Element) -> None:
        """Calls a failed operation once more; when it fails again, this same job is the incident."""
        if unit.run.repeat_operation(job.task_id or ""):
            unit.completed(element)
        again = [new for new in unit.jobs if new["kind"] == "step" and new["task_id"] == job.task_id]
        for new in again:
            unit.jobs.remove(new)
            job.state, job.error = "dead", new["error"]
        if not again:
            unit.advance()

    def _due_task(self, tx: Session, unit: Unit, job: Job, element: Element) -> None:
        """Reminds when a task falls due, and escalates when as much time again has passed."""
        task = tx.get(Task, job.task_id)
        if task is None or task.state != "open":
            return
        if unpack(job.arguments)["phase"] == "reminder":
            unit.event("reminder", element, actor=SYSTEM.name, assignee=task.assignee, team=task.team)
            if task.escalate_to:
                unit.add_job("due", task_id=task.id, element=element, key=f"{task.id}:escalate",
                             run_at=task.due_at + (task.due_at - task.created_at), arguments={"phase": "escalate"})
        else:
            task.priority, task.revision = 1, task.revision + 1
            unit.event("escalated", element, actor=SYSTEM.name, to=task.escalate_to)

    # --- failing and retrying -----------------------------------------------------------------------------------------

    def _fail(self, claim: Claim, error: str, *, attempts: int, result: Any = None) -> None:
        """Puts a job back for a later attempt; after the last one it is an incident."""
        with self.transaction() as tx:
            held = self._hold(tx, claim)
            if held is None:
                return
            unit, job, element = held
            dead = claim.attempts >= min(attempts, claim.max_attempts)
            self._close_job(job, "dead" if dead else "ready", result)
            job.error, job.run_at = error[:1000], self.clock.now() + retry_after(claim.attempts, claim.key)
            if dead:
                unit.event("incident", element, actor=SYSTEM.name, error=error[:1000], operation=job.operation,
                           attempts=claim.attempts)
                unit.save()

    def retry(self, job_id: str, actor: Actor) -> JobView:
        """Puts an incident back to work with the same key and arguments. Conflict when it is none (any more)."""
        with self.transaction() as tx:
            found = tx.get(Job, job_id)
            if found is None:
                raise NotFound("There is no such job.")
            unit = Unit.lock(self, tx, actor, id_=found.instance_id)
            job = tx.scalars(select(Job).where(Job.id == job_id).with_for_update()
                             .execution_options(populate_existing=True)).one()
            if job.state != "dead":
                raise Conflict("This is no open incident any more.")
            element = unit.definition.diagram(job.process).elements.get(job.element or "")
            job.state, job.run_at, job.updated_at = "ready", self.clock.now(), self.clock.now()
            job.max_attempts = job.attempts + 1 if job.kind != "operation" else job.attempts + 3
            unit.event("retried", element, operation=job.operation, error=job.error)
            tx.info["work"] = True
            unit.save()
            return job_view(job)
