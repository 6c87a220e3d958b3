"""Emergencies: a gate that the owner opens without its approvers, and the alarm that this raises.

It is meant to be rare and loud: it needs a reason, leaves a mark wherever the decision is shown, and stays on show
until somebody else has looked at it.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.approvals import Approvals, check_fresh, check_open, signatures_of, why_no_override
from engine.definitions import Element
from engine.errors import (
    AlreadyDecided,
    Conflict,
    InvalidForm,
    NotAllowed,
    NotFound,
    SeparationOfDuties,
    StaleSnapshot,
)
from engine.forms import text_fault
from engine.rows import alarm_view, task_view
from engine.signing import LONGEST_COMMENT, PASSWORD, blocked_reason, fall_void, workers
from engine.store.tables import Alarm, Task
from engine.unit import Unit
from engine.views import Actor, AlarmView, TaskView
from handlers.contract import FieldError

SHORTEST_REASON = 20
"""Characters: a word is no reason to pass over the approvers."""
LONGEST_NOTE = 500
_MEANING = "I open this gate in an emergency, without its approvers."


class Emergencies(Approvals):
    """Override a gate, see alarms, acknowledge one."""

    def override(
        self, task_id: str, actor: Actor, *, reason: str, snapshot: str, proof: str = PASSWORD
    ) -> TaskView:
        """Opens a gate without its approvers: the owner's way in an emergency, and only for an owner who neither signs
        this gate nor worked on the order. Raises an alarm.

        The caller has re-authenticated the actor. NotAllowed, SeparationOfDuties, StaleSnapshot, AlreadyDecided,
        NotFound; InvalidForm: the reason is shorter than 20 characters. Every refusal is recorded.
        """
        try:
            return self.command(lambda tx: self._override(tx, task_id, actor, reason.strip(), snapshot, proof))
        except (NotAllowed, StaleSnapshot, AlreadyDecided, NotFound, InvalidForm) as refusal:
            self.signing_refused(task_id, actor, str(refusal), who=refusal.who, decision="override",
                                 stale=isinstance(refusal, StaleSnapshot))
            raise

    def _override(
        self, tx: Session, task_id: str, actor: Actor, reason: str, snapshot: str, proof: str
    ) -> TaskView:
        unit, row, element = self._gate(tx, task_id, actor)
        worked = workers(tx, unit, element)
        if blocked := blocked_reason(worked, actor):
            raise SeparationOfDuties(blocked)
        if why := why_no_override(row, actor, worked):
            raise NotAllowed(why)
        check_open(row)
        _check_reason(reason)
        submission = self.submission(unit, element)
        given = signatures_of(tx, task_id)
        fall_void(unit, element, given, submission)
        check_fresh(submission, snapshot)
        signature = self._sign(tx, unit, row, actor, submission, decision="approve", comment=reason, proof=proof,
                               emergency=True, meaning=_MEANING, send_back_to=None, on_behalf_of=None)
        unit.event("override", element, reason=reason, snapshot=snapshot, printed_name=actor.printed_name,
                   meaning=_MEANING, proof=proof)
        self._raise_alarm(tx, unit, row, element, actor, reason)
        signatures = [each for each in given if each.void_at is None]
        self._pass(unit, row, element, actor, [*signatures, signature],
                   {"decision": "approve", "comment": reason, "snapshot": snapshot, "emergency": True})
        self.note_in_journal(tx, actor.name, "gate_overridden", row.business_key, element=row.element, task=row.id,
                             reason=reason)
        return task_view(row)

    def _raise_alarm(
        self, tx: Session, unit: Unit, row: Task, element: Element, actor: Actor, reason: str
    ) -> None:
        tx.add(Alarm(
            kind="override", instance_id=row.instance_id, business_key=row.business_key, task_id=row.id,
            element=row.element, name=row.name, team=row.team, raised_by=actor.name, raised_at=self.clock.now(),
            why=reason, acknowledged_by=None, acknowledged_at=None, note=None,
        ))
        unit.tell(
            element, f"{row.id}:override:told", "alarm", teams=[row.team, *self._house()], task=row.id,
            title=f"{row.business_key}: {row.name} was opened in an emergency",
            text=f"{actor.printed_name} opened this gate without its approvers: {reason} "
                 "Look at it, then acknowledge the alarm.",
        )

    def _house(self) -> list[str]:
        """The teams that see everything and do no task."""
        return [team for team, works in (self.teams() if self.teams is not None else {}).items() if not works]

    def alarms(self, actor: Actor, *, unacknowledged: bool = True) -> list[AlarmView]:
        """Alarms that the actor should know of, the newest first: `owner` and `admin` see all, others those of their
        teams' gates. With `unacknowledged` only those that nobody has acknowledged."""
        statement = select(Alarm).order_by(Alarm.raised_at.desc(), Alarm.id.desc()).limit(200)
        if unacknowledged:
            statement = statement.where(Alarm.acknowledged_at.is_(None))
        if not actor.sees_all:
            statement = statement.where(Alarm.team.in_(sorted(actor.teams) or [""]))
        with self.reading() as session:
            return [alarm_view(row) for row in session.scalars(statement)]

    def acknowledge_alarm(self, alarm_id: int, actor: Actor, note: str) -> AlarmView:
        """Takes an alarm off the list, with a note of what was found. Not by whoever raised it.

        NotFound, NotAllowed, Conflict (somebody has acknowledged it), InvalidForm (no note).
        """
        note = note.strip()
        fault = text_fault(note) or (None if 0 < len(note) <= LONGEST_NOTE
                                     else f"Say what you found, in at most {LONGEST_NOTE} characters.")
        if fault:
            raise InvalidForm([FieldError("/note", fault)])
        with self.transaction() as tx:
            row = tx.get(Alarm, alarm_id, with_for_update=True)
            if row is None or not (actor.sees_all or row.team in actor.teams):
                raise NotFound("There is no such alarm for you.")
            if row.raised_by == actor.name:
                raise NotAllowed("You raised this alarm, so somebody else must look at it.")
            if row.acknowledged_at is not None:
                raise Conflict(f"{row.acknowledged_by} has acknowledged this alarm.", row.acknowledged_by)
            row.acknowledged_by, row.acknowledged_at, row.note = actor.name, self.clock.now(), note
            unit = Unit.lock(self, tx, actor, id_=row.instance_id)
            unit.event("alarm_acknowledged", unit.definition.find(unit.row.process_key, row.element),
                       raised_by=row.raised_by, comment=note)
            unit.save()
            self.note_in_journal(tx, actor.name, "alarm_acknowledged", row.business_key, alarm=row.id,
                                 raised_by=row.raised_by, note=note)
            return alarm_view(row)


def _check_reason(reason: str) -> None:
    fault = text_fault(reason)
    if fault is None and len(reason) < SHORTEST_REASON:
        fault = f"Say why the approvers cannot sign, in at least {SHORTEST_REASON} characters."
    if fault is None and len(reason) > LONGEST_COMMENT:
        fault = f"Enter at most {LONGEST_COMMENT} characters."
    if fault:
        raise InvalidForm([FieldError("/reason", fault)])
