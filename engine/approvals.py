"""Gates: who may sign, what exactly is signed, and what a decision does.

Whoever did a user task of the order may not sign it, and nobody signs twice; enforced here, so that page, API and
every other way meet the same rule. Refused attempts are recorded too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.codec import digest, pack, unpack
from engine.commands import Commands, sentence
from engine.definitions import Element
from engine.errors import (
    AlreadyDecided,
    Conflict,
    DatabaseTrouble,
    EngineError,
    InvalidForm,
    NotAllowed,
    NotAnApprover,
    NotFound,
    SeparationOfDuties,
    StaleSnapshot,
)
from engine.expressions import compile_expression
from engine.forms import text_fault
from engine.rows import signature_view, task_view
from engine.store.tables import Job, Signature, Task
from engine.unit import Unit
from engine.views import SYSTEM, Actor, Approval, Decision, TaskView
from handlers.contract import FieldError


class Approvals(Commands):
    """Decide, and what an approval page needs."""

    def decide(
        self, task_id: str, actor: Actor, decision: Decision, *, comment: str, snapshot: str,
        send_back_to: int | None = None,
    ) -> tuple[TaskView, int, int]:
        """Signs a gate; returns the task, the signatures that are there and the number needed.

        The caller has re-authenticated the actor. SeparationOfDuties, NotAnApprover, StaleSnapshot, AlreadyDecided,
        InvalidForm (reason or step missing), NotFound.
        """
        try:
            return self.command(
                lambda tx: self._decide(tx, task_id, actor, decision, comment, snapshot, send_back_to)
            )
        except (SeparationOfDuties, NotAnApprover) as refusal:
            self._record_refusal(task_id, actor, decision, refusal)
            raise
        except (InvalidForm, NotFound, NotAllowed, Conflict, DatabaseTrouble):
            raise
        except Exception as error:  # noqa: BLE001 - what an approver wrote must survive whatever went wrong
            given = {"decision": decision, "comment": comment, "snapshot": snapshot, "send_back_to": send_back_to}
            return self._keep_decision(task_id, actor, given, sentence(error))

    def _decide(
        self, tx: Session, task_id: str, actor: Actor, decision: Decision, comment: str, snapshot: str,
        send_back_to: int | None,
    ) -> tuple[TaskView, int, int]:
        unit, row = self._locked_task(tx, task_id, actor)
        if row.kind != "approval":
            raise NotFound("There is no such approval: this task is completed with a form.")
        element = unit.definition.element(row.process, row.element)
        if row.team not in actor.teams:
            raise NotAnApprover(f"Only {row.team.replace('-', ' ')} sign this gate.")
        if row.state != "open":
            raise AlreadyDecided(f"This gate is decided already, by {row.completed_by}." if row.completed_by
                                 else "This gate was withdrawn: the order went another way.")
        signatures = list(tx.scalars(select(Signature).where(Signature.task_id == task_id).order_by(Signature.id)))
        if any(s.actor == actor.name for s in signatures):
            raise AlreadyDecided("You have signed this gate. The second signature must be another person's.")
        reason = blocked_reason(workers(tx, unit, element), actor)
        if reason:
            raise SeparationOfDuties(reason)
        _check_decision(element, decision, comment, send_back_to)
        submission = self.submission(unit, element)
        if digest(submission) != snapshot:
            raise StaleSnapshot("What is submitted has changed since you opened the page. Read it again.")
        tx.add(Signature(
            task_id=task_id, instance_id=row.instance_id, element=element.id, actor=actor.name, decision=decision,
            send_back_to=send_back_to, comment=comment, snapshot=snapshot, submission=pack(submission),
            version_id=unit.row.version_id, at=self.clock.now(),
        ))
        need = signatures_needed(unit, element)
        have = 1 + len(signatures)
        detail: dict[str, Any] = {
            "decision": decision, "comment": comment, "snapshot": snapshot, "send_back_to": send_back_to,
            "have": have, "need": need,
        }
        if decision == "approve" and have < need:
            row.revision += 1
            row.assignee = None
            unit.event("signed", element, **detail)
            unit.save()
            return task_view(row), have, need
        result: dict[str, Any] = {"decision": decision, "comment": comment, "snapshot": snapshot,
                                  "signed_by": [*(s.actor for s in signatures), actor.name]}
        if send_back_to is not None:
            result["send_back_to"] = send_back_to
        unit.variables[element.id] = result
        unit.comment = comment
        self._close(unit, row, actor, pack(result))
        unit.completed(element, actor.name, **detail)
        unit.run.complete_user_task(row.id)
        unit.advance()
        unit.save()
        return task_view(row), have, need

    def _keep_decision(
        self, task_id: str, actor: Actor, given: Mapping[str, Any], error: str
    ) -> tuple[TaskView, int, int]:
        """Keeps a decision that could not be taken, unforeseen: an incident, the gate still open; a retry takes it."""
        with self.transaction() as tx:
            unit, row = self._locked_task(tx, task_id, actor)
            element = unit.definition.element(row.process, row.element)
            have = len(tx.scalars(select(Signature.id).where(Signature.task_id == task_id)).all())
            self._withdraw_kept(tx, task_id, by=actor.name)
            unit.incident("decision", element, key=f"{task_id}:decision", task_id=task_id, error=error,
                          arguments={**given, "actor": actor.name, "teams": sorted(actor.teams)})
            unit.save()
            return task_view(row), have, have + 1

    def repeat_decision(self, tx: Session, job: Job, given: Mapping[str, Any]) -> None:
        """Takes a decision again that was kept when taking it failed. The actor has signed it then.

        Nothing is left to take when the actor has meanwhile signed the gate anew, as the first of two.
        """
        assert job.task_id is not None
        actor = Actor(given["actor"], frozenset(given["teams"]))
        signed = select(Signature.id).where(Signature.task_id == job.task_id, Signature.actor == actor.name)
        if tx.execute(signed).first() is not None:
            return
        self._decide(tx, job.task_id, actor, given["decision"], given["comment"], given["snapshot"],
                     given["send_back_to"])

    def _record_refusal(self, task_id: str, actor: Actor, decision: str, refusal: EngineError) -> None:
        with self.transaction() as tx:
            row = tx.get_one(Task, task_id)
            unit = Unit.lock(self, tx, actor, id_=row.instance_id)
            element = unit.definition.element(row.process, row.element)
            unit.event("signature_refused", element, decision=decision, why=str(refusal))
            unit.save()

    def submission(self, unit: Unit, element: Element) -> Mapping[str, Any]:
        """Exactly what is signed at a gate, composed by the gate's `submission` operation."""
        operation = self.registry.get(element.properties.get("submission", ""))
        if operation is None or operation.function is None:
            raise EngineError(f"The gate {element.id} names no operation that composes its submission.")
        found: Mapping[str, Any] = operation.function(
            unit.call(element, f"{unit.row.business_key}:{element.id}:submission", actor=SYSTEM.name)
        )
        return found

    def approval(self, tx: Session, unit: Unit, row: Task, element: Element, actor: Actor) -> Approval:
        """What the page of a gate shows: submission, signatures, who may not sign and why."""
        signed = list(tx.scalars(
            select(Signature)
            .where(Signature.instance_id == row.instance_id, Signature.element == element.id)
            .order_by(Signature.id)
        ))
        here = [s for s in signed if s.task_id == row.id]
        earlier = [s for s in signed if s.task_id != row.id]
        if row.state == "open":
            submission = self.submission(unit, element)
        else:
            submission = unpack(here[-1].submission) if here else {}
        done = workers(tx, unit, element)
        names = unit.definition.step_names()
        return Approval(
            submission=submission, snapshot=digest(submission), signatures=tuple(signature_view(s) for s in here),
            need=signatures_needed(unit, element),
            send_back_to=tuple((n, names[n][0]) for n in element.steps("sendBackTo") if n in names),
            submits=tuple((n, names[n][0]) for n in element.steps("submits") if n in names),
            blocked=self._blocked(row, here, done, actor), earlier=tuple(signature_view(s) for s in earlier),
            earlier_submission=unpack(earlier[-1].submission) if earlier else None, workers=tuple(sorted(done)),
        )

    @staticmethod
    def _blocked(row: Task, here: Sequence[Signature], done: set[str], actor: Actor) -> str | None:
        if row.state != "open":
            return "This gate is decided."
        if row.team not in actor.teams:
            return f"Only {row.team.replace('-', ' ')} sign this gate."
        if any(s.actor == actor.name for s in here):
            return "You have signed. The second signature must be another person's."
        return blocked_reason(done, actor)


def workers(tx: Session, unit: Unit, gate: Element) -> set[str]:
    """Who did a user task of the order so far and therefore may not sign this gate.

    `separateFrom` on the gate lists the elements that count instead, e.g. `receive_order, approve_reservation`.
    """
    statement = select(Task.completed_by).where(
        Task.instance_id == unit.row.id, Task.state == "done", Task.completed_by.is_not(None),
        Task.element != gate.id,
    )
    only = [part.strip() for part in gate.properties.get("separateFrom", "").split(",") if part.strip()]
    if only:
        statement = statement.where(Task.element.in_(only))
    return {name for name in tx.scalars(statement) if name}


def blocked_reason(done: set[str], actor: Actor) -> str | None:
    if actor.name in done:
        return "You worked on this order, so another person must sign it."
    return None


def signatures_needed(unit: Unit, element: Element) -> int:
    """How many distinct people must approve: the gate's `signatures` expression, one when it has none."""
    text = element.properties.get("signatures")
    return max(1, int(compile_expression(text).evaluate(unit.variables))) if text else 1


def _check_decision(element: Element, decision: str, comment: str, send_back_to: int | None) -> None:
    faults = []
    if decision not in ("approve", "reject", "send_back"):
        faults.append(FieldError("/decision", "Choose approve, reject or send_back."))
    if decision != "approve" and not comment.strip():
        faults.append(FieldError("/comment", "Give a reason; it is kept in the history."))
    if fault := text_fault(comment):
        faults.append(FieldError("/comment", fault))
    if len(comment) > 2000:
        faults.append(FieldError("/comment", "Enter at most 2000 characters."))
    steps = element.steps("sendBackTo")
    if decision == "send_back" and send_back_to not in steps:
        faults.append(FieldError("/send_back_to", _step_choice(steps)))
    if decision != "send_back" and send_back_to is not None:
        faults.append(FieldError("/send_back_to", "A step is chosen only when the gate sends back."))
    if faults:
        raise InvalidForm(faults)


def _step_choice(steps: Sequence[int]) -> str:
    """What to choose when a gate sends back."""
    if not steps:
        return "This gate cannot send back."
    if len(steps) == 1:
        return f"Choose step {steps[0]}."
    return f"Choose step {', '.join(map(str, steps[:-1]))} or {steps[-1]}."
