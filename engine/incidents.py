"""Incidents: jobs that gave up. Grouped by cause, tried again by a person, or resolved by hand.

Whoever resolves an incident by hand says that its work is done, or need not be done. What follows from that:

- `operation`, `step` at a token: the token goes on, with what the person gives as the result variable; not where that
  variable stands for an approval or says how many people sign (`engine.gate_variables`);
- work beside the token (a mail, a paper): the incident ends;
- `form`, `decision`: the incident ends, the task stays open with the draft;
- `gate`: it cannot be: an approval that is lacking is no work that a person does instead;
- `message`: the message that could not be taken is set aside, and its catch waits for the next one;
- `timer` on a border or beside other events: it does not fire any more; an order that waits for nothing but its timer
  would wait for ever, so that one can only be tried again;
- `due`: nobody is reminded.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from engine import forms
from engine.base import note_due
from engine.codec import unpack
from engine.commands import MAX_PAYLOAD
from engine.definitions import Element
from engine.errors import Conflict, InvalidForm, NotFound
from engine.gate_variables import gate_variables
from engine.jobs import Jobs
from engine.rows import job_view
from engine.store.tables import Job, Message
from engine.unit import Unit
from engine.views import SYSTEM, Actor, Incident, JobView, OpenIncident, Tried
from handlers.contract import FieldError

MOST_AT_ONCE = 500
"""So many incidents are tried again by one click or call: each is a transaction, and somebody waits."""
SAMPLE = 20
"""So many jobs of a cause are shown."""
LONGEST_REASON = 1000
_AT_A_TOKEN = ("operation", "step")
_VARYING = re.compile(r"\S*\d\S*|\b[A-Z]+-[A-Z]{4,}\b")
"""Words that hold a figure (order numbers, ids, amounts, status codes), and references that happen to hold none."""


class Incidents(Jobs):
    """What people do about jobs that gave up."""

    def incidents(self) -> list[Incident]:
        """Open incidents by cause, the cause that stops most orders first, then the oldest. One statement."""
        found = [_incident(cause, jobs) for cause, jobs in self._by_cause().items()]
        return sorted(found, key=lambda incident: (-incident.orders, incident.oldest, incident.cause))

    def _ids_of(self, cause: str) -> list[str]:
        return [job.id for job in self._by_cause().get(cause, ())]

    def _by_cause(self) -> dict[str, list[JobView]]:
        """Open incidents, oldest first, without what is large in their rows."""
        statement = (
            select(Job).where(Job.state == "dead").options(defer(Job.arguments), defer(Job.result))
            .order_by(Job.updated_at, Job.id)
        )
        groups: dict[str, list[JobView]] = defaultdict(list)
        with self.reading() as session:
            for row in session.scalars(statement):
                groups[cause_of(row)].append(job_view(row))
        return groups

    def incident(self, job_id: str) -> OpenIncident:
        """One open incident. NotFound; Conflict when it is none (any more)."""
        with self.reading() as session:
            job = _check_dead(session.get(Job, job_id))
            unit = Unit.lock(self, session, SYSTEM, id_=job.instance_id, reading=True)
            live = _is_live(unit, job)
            waits = live and job.kind in _AT_A_TOKEN
            variable = unit.run.result_variable(job.task_id or "") if waits else None
            return OpenIncident(job_view(job), waits, variable, not_by_hand(unit, job))

    # --- trying again -------------------------------------------------------------------------------------------------

    def retry(self, job_id: str, actor: Actor) -> JobView:
        """Puts an incident back to work with the same key and arguments. NotFound. Conflict when it is none (any more).
        """
        with self.transaction() as tx:
            unit, job, element = self._dead(tx, job_id, actor)
            job.state, job.run_at, job.updated_at = "ready", self.clock.now(), self.clock.now()
            job.max_attempts = job.attempts + 1 if job.kind != "operation" else job.attempts + 3
            unit.event("retried", element, operation=job.operation, error=job.error)
            note_due(tx, [job.id])
            unit.save()
            return job_view(job)

    def retry_all(
        self, actor: Actor, *, cause: str | None = None, ids: Sequence[str] = (), most: int = MOST_AT_ONCE
    ) -> list[Tried]:
        """Retries every incident of a cause, the oldest first, or these jobs, each by itself; `most` of them.

        One that cannot be retried (any more) stops no other: its result says why.
        """
        chosen = list(dict.fromkeys(ids)) if cause is None else self._ids_of(cause)
        return [self._try(job_id, actor) for job_id in chosen[:most]]

    def _try(self, job_id: str, actor: Actor) -> Tried:
        try:
            return Tried(job_id, self.retry(job_id, actor).order, None)
        except (NotFound, Conflict) as error:
            return Tried(job_id, None, str(error))

    # --- resolving by hand --------------------------------------------------------------------------------------------

    def resolve(
        self, job_id: str, actor: Actor, reason: str, result: Mapping[str, Any] | None = None
    ) -> JobView:
        """Ends an incident because a person has done its work or decided that it need not be done.

        `result` is the result variable with which a waiting token goes on, a JSON object. The reason, and what was
        given, stand in the history. InvalidForm, NotFound. Conflict: no open incident any more, or nothing else would
        ever move the order on.
        """
        _check(reason, result)
        return self.command(lambda tx: self._resolve(tx, job_id, actor, reason.strip(), result))

    def _resolve(
        self, tx: Session, job_id: str, actor: Actor, reason: str, result: Mapping[str, Any] | None
    ) -> JobView:
        unit, job, element = self._dead(tx, job_id, actor)
        live = _is_live(unit, job)
        at_token = live and job.kind in _AT_A_TOKEN
        if why := not_by_hand(unit, job):
            raise Conflict(why)
        if result is not None and not at_token:
            raise InvalidForm([FieldError("/result", "Nothing waits for a result here; leave it out.")])
        if live and job.kind == "timer" and _waits_for_nothing_else(unit, job, element):
            raise Conflict(f"{job.business_key} waits only for this timer. Try it again once its cause is mended.")
        given = dict(result or {})
        if job.kind == "operation" and element is not None and job.operation is not None:
            given = unit.done_by_hand(job.operation, element, job.key, job.arguments, reason, given)
        performed = {"performed": unpack(job.result)} if job.result is not None else {}
        unit.event("resolved", element, operation=job.operation, work=job.kind, error=job.error, reason=reason,
                   result=given, **performed)
        self._close_job(job, "resolved")
        job.fence += 1  # whoever has held it, and sleeps, may not finish it
        tx.flush()
        if live and job.kind == "message":
            self._put_aside(unit, job, actor, reason)
        if at_token and element is not None:
            _go_on(unit, job, element, actor, given)
        unit.undo_when_quiet(finishing=job.id)
        if at_token:
            unit.advance()
        unit.save()
        return job_view(job)

    def _dead(self, tx: Session, job_id: str, actor: Actor) -> tuple[Unit, Job, Element | None]:
        """Locks an open incident and its instance. NotFound; Conflict when it is none (any more)."""
        found = tx.get(Job, job_id)
        if found is None:
            raise NotFound("There is no such job.")
        unit = Unit.lock(self, tx, actor, id_=found.instance_id)
        job = _check_dead(tx.scalars(
            select(Job).where(Job.id == job_id).with_for_update().execution_options(populate_existing=True)
        ).one())
        return unit, job, unit.definition.find(job.process, job.element or "")

    def _put_aside(self, unit: Unit, job: Job, actor: Actor, reason: str) -> None:
        """Sets the message aside that the catch could not take, so that it stops no later command of the order."""
        catches = [waiting for waiting in unit.run.waiting() if waiting.task_id == job.task_id]
        statement = (
            select(Message)
            .where(Message.correlation == job.business_key, Message.consumed_at.is_(None),
                   Message.set_aside_at.is_(None), Message.name.in_({waiting.name for waiting in catches}))
            .order_by(Message.id)
        )
        for message in unit.session.scalars(statement):
            payload = unpack(message.payload)
            if any(catch.name == message.name and unit.run.accepts(catch, payload) for catch in catches):
                message.set_aside_at, message.set_aside_by = self.clock.now(), actor.name
                message.set_aside_reason = reason
                unit.event("set_aside", message=message.name, id=message.message_id, source=message.source,
                           reason=reason)
                return


def _check_dead(job: Job | None) -> Job:
    if job is None:
        raise NotFound("There is no such job.")
    if job.state != "dead":
        raise Conflict("This is no open incident any more.")
    return job


def _is_live(unit: Unit, job: Job) -> bool:
    """Whether a token still stands where the job belongs."""
    return job.task_id is not None and unit.process == job.process and job.task_id in unit.run.live_ids()


def not_by_hand(unit: Unit, job: Job) -> str | None:
    """Why nobody resolves an incident by hand: its token waits, and it would be an approval by editing data."""
    if not _is_live(unit, job):
        return None
    if job.kind == "gate":
        return ("Nobody stands in for an approval by hand. Put right what was changed and try it again, or cancel the "
                "order.")
    variable = unit.run.result_variable(job.task_id or "") if job.kind in _AT_A_TOKEN else None
    gate = gate_variables(unit.definition, unit.process).get(variable or "")
    if gate is None:
        return None
    return (f"Its result, {variable}, belongs to the approval of “{gate}”, so nobody gives it by hand. Put right what "
            "stopped it and try it again, or cancel the order.")


def cause_of(job: Job) -> str:
    """What incidents of one cause share: the work, the element, and the error without what differs between orders."""
    line = title_of(job.error, job.operation or job.kind)
    text = _VARYING.sub("#", re.sub(rf"(?<!\w){re.escape(job.business_key)}(?!\w)", "#", line))
    return f"{job.operation or job.kind} at {job.element or 'no element'}: {text}"


def title_of(error: str | None, what: str) -> str:
    """The first line of what went wrong."""
    lines = (error or "").strip().splitlines()
    return lines[0][:200] if lines else f"{what} gave up"


def _incident(cause: str, jobs: Sequence[JobView]) -> Incident:
    """A group of jobs, oldest first."""
    first = jobs[0]
    return Incident(
        cause=cause, title=title_of(first.error, first.operation or first.kind), operation=first.operation,
        kind=first.kind, element=first.element, name=first.name, step=first.step, count=len(jobs),
        orders=len({job.order for job in jobs}), oldest=first.updated_at, newest=jobs[-1].updated_at,
        jobs=tuple(jobs[:SAMPLE]),
    )


def _go_on(unit: Unit, job: Job, element: Element, actor: Actor, result: dict[str, Any]) -> None:
    """Moves the token on with what the person gave."""
    assert job.task_id is not None
    variable = unit.run.result_variable(job.task_id)
    if variable:
        unit.variables[variable] = result
    unit.completed(element, actor.name, operation=job.operation, by_hand=True)
    unit.run.complete_operation(job.task_id)


def _waits_for_nothing_else(unit: Unit, job: Job, element: Element | None) -> bool:
    """Whether a timer stands in the order's way by itself: on no border, and beside no message."""
    on_border = element is not None and element.attached_to is not None
    return not on_border and all(waiting.task_id != job.task_id for waiting in unit.run.waiting())


def _check(reason: str, result: Mapping[str, Any] | None) -> None:
    forms.check_values(reason, at="/reason")
    faults = []
    if not reason.strip():
        faults.append(FieldError("/reason", "Say what was done; it is kept in the history."))
    if len(reason) > LONGEST_REASON:
        faults.append(FieldError("/reason", f"Enter at most {LONGEST_REASON} characters."))
    if result is not None and not isinstance(result, Mapping):
        faults.append(FieldError("/result", "The result is an object with named values."))
    if faults:
        raise InvalidForm(faults)
    if result is not None:
        forms.check_values(result, limit=MAX_PAYLOAD, at="/result")
