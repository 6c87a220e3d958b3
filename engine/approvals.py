"""Gates: who may sign, what exactly is signed, and what a decision does.

Whoever did a user task of the order may not sign it, and nobody signs twice; enforced here, so that page, API, bulk,
delegates and every other way meet the same rule. Refused attempts are recorded too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.codec import digest, pack, unpack
from engine.commands import Commands, sentence
from engine.definitions import Element
from engine.delegations import Lent
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
from engine.rows import signature_view, task_view
from engine.signing import (
    PASSWORD,
    blocked_reason,
    check_decision,
    fall_void,
    meaning,
    signatures_needed,
    signed_by,
    why_void,
    workers,
)
from engine.store.tables import Job, Signature, Task
from engine.unit import Unit
from engine.views import SYSTEM, Actor, Amount, Approval, Decision, DelegationView, TaskView
from handlers.contract import FieldError, WaybillError

MOST_AT_ONCE = 20
"""Gates that one person approves with one password."""
_REFUSALS = (SeparationOfDuties, NotAnApprover, StaleSnapshot, AlreadyDecided, NotFound)
"""What is recorded when a signature is refused; an incomplete form is none yet."""


@dataclass(frozen=True, slots=True)
class Signed:
    """What became of one gate of several that were approved together."""

    id: str
    task: TaskView | None
    have: int
    need: int
    error: WaybillError | None
    """Why it was not signed; nothing of it was changed."""


class Approvals(Commands):
    """Decide, and what an approval page needs."""

    def decide(
        self, task_id: str, actor: Actor, decision: Decision, *, comment: str, snapshot: str,
        send_back_to: int | None = None, proof: str = PASSWORD,
    ) -> tuple[TaskView, int, int]:
        """Signs a gate; returns the task, the signatures that count and the number needed.

        The caller has re-authenticated the actor, and says with what: `proof`. Somebody to whom the gate is delegated
        signs for the other person. SeparationOfDuties, NotAnApprover, StaleSnapshot, AlreadyDecided, InvalidForm
        (reason or step missing), NotFound.
        """
        try:
            return self.command(
                lambda tx: self._decide(tx, task_id, actor, decision, comment, snapshot, send_back_to, proof)
            )
        except _REFUSALS as refusal:
            self.signing_refused(task_id, actor, str(refusal), who=refusal.who, decision=decision,
                                 stale=isinstance(refusal, StaleSnapshot))
            raise
        except (InvalidForm, NotAllowed, Conflict, DatabaseTrouble):
            raise
        except Exception as error:  # noqa: BLE001 - what an approver wrote must survive whatever went wrong
            given = {"decision": decision, "comment": comment, "snapshot": snapshot, "send_back_to": send_back_to,
                     "proof": proof}
            return self._keep_decision(task_id, actor, given, sentence(error))

    def decide_many(
        self, actor: Actor, items: Sequence[tuple[str, str]], *, comment: str = "", proof: str = PASSWORD
    ) -> list[Signed]:
        """Approves several gates, (task id, snapshot) each, at most 20; the result of each, in order.

        Each is signed by itself, in a transaction of its own: one that is refused keeps none of the others back.
        InvalidForm: none, too many (the journal keeps that), or one twice; nothing is signed then.
        """
        faults = []
        if len(items) > MOST_AT_ONCE:
            with self.transaction() as tx:
                self.note_in_journal(tx, actor.name, "bulk_refused", actor.name, gates=len(items), most=MOST_AT_ONCE)
            faults.append(FieldError("/items", f"Approve at most {MOST_AT_ONCE} at once; this is {len(items):,}."))
        elif not items:
            faults.append(FieldError("/items", "Choose at least one."))
        ids = [task_id for task_id, _ in items]
        faults += [FieldError(f"/items/{place}/id", "This one is named twice.")
                   for place, task_id in enumerate(ids[:MOST_AT_ONCE]) if task_id in ids[:place]]
        if faults:
            raise InvalidForm(faults)
        return [self._one_of_many(actor, task_id, snapshot, comment, proof) for task_id, snapshot in items]

    def _one_of_many(self, actor: Actor, task_id: str, snapshot: str, comment: str, proof: str) -> Signed:
        try:
            task, have, need = self.decide(task_id, actor, "approve", comment=comment, snapshot=snapshot, proof=proof)
        except WaybillError as error:
            return Signed(task_id, None, 0, 0, error)
        return Signed(task_id, task, have, need, None)

    def _gate(self, tx: Session, task_id: str, actor: Actor) -> tuple[Unit, Task, Element]:
        """Locks the instance of a gate that the actor may see. NotFound."""
        unit, row = self._locked_task(tx, task_id, actor)
        if row.kind != "approval":
            raise NotFound("There is no such approval: this task is completed with a form.")
        return unit, row, unit.definition.element(row.process, row.element)

    def _decide(
        self, tx: Session, task_id: str, actor: Actor, decision: Decision, comment: str, snapshot: str,
        send_back_to: int | None, proof: str,
    ) -> tuple[TaskView, int, int]:
        unit, row, element = self._gate(tx, task_id, actor)
        worked = workers(tx, unit, element)
        lent = self.right_to_sign(tx, row, actor, worked, lambda: self.worth(element, self.submission(unit, element)))
        principal, whose = (lent.by.name, lent.by.printed_name) if lent is not None else (None, None)
        check_open(row)
        reason = blocked_reason(worked, actor)
        if reason:
            raise SeparationOfDuties(reason)
        check_decision(element, decision, comment, send_back_to)
        given = signatures_of(tx, task_id)
        submission = self.submission(unit, element)
        fall_void(unit, element, given, submission)
        signatures = [each for each in given if each.void_at is None]
        if twice := signed_by(signatures, actor.name, principal):
            raise AlreadyDecided(twice)
        check_fresh(submission, snapshot)
        have, need = 1 + len(signatures), signatures_needed(unit, element)
        signature = self._sign(tx, unit, row, actor, submission, decision=decision, comment=comment, proof=proof,
                               send_back_to=send_back_to, on_behalf_of=principal,
                               meaning=meaning(element, decision, acts_for=whose))
        detail = {**_says(signature), "have": have, "need": need}
        if decision == "approve" and have < need:
            row.revision += 1
            row.assignee = None
            unit.event("signed", element, **detail)
            unit.save()
            return task_view(row), have, need
        self._pass(unit, row, element, actor, [*signatures, signature], detail)
        return task_view(row), have, need

    def _sign(
        self, tx: Session, unit: Unit, row: Task, actor: Actor, submission: Mapping[str, Any], **says: Any
    ) -> Signature:
        """Writes one signature under exactly what is submitted."""
        signature = Signature(
            task_id=row.id, instance_id=row.instance_id, element=row.element, actor=actor.name,
            snapshot=digest(submission), submission=pack(submission), version_id=unit.row.version_id,
            at=self.clock.now(), printed_name=actor.printed_name, **{"emergency": False, **says},
        )
        tx.add(signature)
        return signature

    def _pass(
        self, unit: Unit, row: Task, element: Element, actor: Actor, signatures: Sequence[Signature],
        detail: Mapping[str, Any],
    ) -> None:
        """Takes the decision of the last of these signatures: the gate is done, and the order goes on from it."""
        last = signatures[-1]
        result: dict[str, Any] = {"decision": last.decision, "comment": last.comment, "snapshot": last.snapshot,
                                  "signed_by": [each.actor for each in signatures]}
        if last.send_back_to is not None:
            result["send_back_to"] = last.send_back_to
        if last.emergency:
            result["emergency"] = True
        unit.variables[element.id] = result
        unit.comment = last.comment
        self._close(unit, row, actor, pack(result))
        unit.completed(element, actor.name, **detail)
        unit.run.complete_user_task(row.id)
        unit.advance()
        unit.save()

    def _keep_decision(
        self, task_id: str, actor: Actor, given: Mapping[str, Any], error: str
    ) -> tuple[TaskView, int, int]:
        """Keeps a decision that could not be taken, unforeseen: an incident, the gate still open; a retry takes it."""
        with self.transaction() as tx:
            unit, row = self._locked_task(tx, task_id, actor)
            element = unit.definition.element(row.process, row.element)
            have = sum(each.void_at is None for each in signatures_of(tx, task_id))
            self._withdraw_kept(tx, task_id, by=actor.name)
            unit.incident("decision", element, key=f"{task_id}:decision", task_id=task_id, error=error,
                          arguments={**given, "actor": actor.name, "teams": sorted(actor.teams),
                                     "display_name": actor.display_name})
            unit.save()
            return task_view(row), have, have + 1

    def repeat_decision(self, tx: Session, job: Job, given: Mapping[str, Any]) -> None:
        """Takes a decision again that was kept when taking it failed. The actor has signed it then, and must still be
        somebody who may sign now.

        Nothing is left to take when the actor has meanwhile signed the gate anew, as the first of two.
        """
        assert job.task_id is not None
        actor = Actor(given["actor"], frozenset(given["teams"]), display_name=given.get("display_name", ""))
        if self.directory is not None:
            present = self.person(tx, actor.name)
            actor = Actor(actor.name, present.teams if present else frozenset(), display_name=actor.display_name)
        signed = select(Signature.id).where(Signature.task_id == job.task_id, Signature.actor == actor.name,
                                            Signature.void_at.is_(None))
        if tx.execute(signed).first() is not None:
            return
        self._decide(tx, job.task_id, actor, given["decision"], given["comment"], given["snapshot"],
                     given["send_back_to"], given.get("proof", PASSWORD))

    def signing_refused(
        self, task_id: str, actor: Actor, why: str, *, who: str | None = None, decision: str = "approve",
        stale: bool = False,
    ) -> None:
        """Records that somebody tried to sign a gate and was refused, for example for a wrong password.

        Nothing happens when there is no such gate. `who` is the user name of somebody whom `why` names. `stale`:
        signatures that were given for something else fall void.
        """
        with self.transaction() as tx:
            row = tx.get(Task, task_id)
            if row is None or row.kind != "approval":
                return
            unit = Unit.lock(self, tx, actor, id_=row.instance_id)
            element = unit.definition.element(row.process, row.element)
            unit.event("signature_refused", element, decision=decision, why=why, **({"who": who} if who else {}))
            if stale:
                fall_void(unit, element, signatures_of(tx, task_id), self.submission(unit, element))
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

    def worth(self, gate: Element, submission: Mapping[str, Any]) -> tuple[Amount, ...]:
        """What a submission says that its order is worth, by the keys that its operation names."""
        operation = self.registry.get(gate.properties.get("submission", ""))
        said = (submission.get(key) for key in (operation.worth if operation is not None else ()))
        return tuple(Amount(each["amount"], each["currency"]) for each in said if each is not None)

    def lacking_approval(self, unit: Unit, element: Element) -> str | None:
        """Why an element may not begin: a gate that it `requires` was not approved last, or what was signed there is
        not what would be signed now. Looks at the signatures, so no variable can stand for one."""
        for name in element.properties["requires"].replace(",", " ").split():
            gate = unit.definition.element(unit.process, name)
            last = unit.session.scalars(
                select(Signature)
                .where(Signature.instance_id == unit.row.id, Signature.element == name, Signature.void_at.is_(None))
                .order_by(Signature.id.desc()).limit(1)
            ).first()
            if last is None or last.decision != "approve":
                return f"The gate “{gate.name}” has not been approved."
            submission = self.submission(unit, gate)
            if digest(submission) != last.snapshot:
                return f"The approval of “{gate.name}” is void. {why_void(last, submission)}"
        return None

    def approval(
        self, tx: Session, unit: Unit, row: Task, element: Element, actor: Actor,
        lent: Sequence[DelegationView] | None = None,
    ) -> Approval:
        """What the page of a gate shows: submission, signatures, who may not sign and why. `lent`: what is lent to the
        actor, where that is known."""
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
        snapshot = digest(submission)
        void = [s for s in here if s.void_at is not None or s.snapshot != snapshot]
        counts = [s for s in here if s not in void]
        done = workers(tx, unit, element)
        worth = self.worth(element, submission)
        blocked, right = self._blocked(tx, row, counts, done, actor, worth, lent)
        acts_for, whose = (right.by.name, right.by.printed_name) if right is not None else (None, None)
        names = unit.definition.step_names()
        decisions: tuple[Decision, ...] = ("approve", "send_back", "reject")
        return Approval(
            submission=submission, snapshot=snapshot, signatures=tuple(self._shown(tx, s) for s in counts),
            need=signatures_needed(unit, element),
            send_back_to=tuple((n, names[n][0]) for n in element.steps("sendBackTo") if n in names),
            submits=tuple((n, names[n][0]) for n in element.steps("submits") if n in names),
            blocked=blocked, earlier=tuple(self._shown(tx, s) for s in earlier),
            earlier_submission=unpack(earlier[-1].submission) if earlier else None, workers=tuple(sorted(done)),
            void=tuple(signature_view(s, self.library.get(tx, s.version_id).version, void=why_void(s, submission))
                       for s in void),
            meanings={each: meaning(element, each, acts_for=whose) for each in decisions}, acts_for=acts_for,
            up_to=right.under.up_to if right else None, acts_until=right.under.ends_at if right else None, worth=worth,
            can_override=row.state == "open" and why_no_override(row, actor, done) is None,
        )

    def _shown(self, tx: Session, row: Signature) -> Any:
        return signature_view(row, self.library.get(tx, row.version_id).version)

    def _blocked(
        self, tx: Session, row: Task, here: Sequence[Signature], done: set[str], actor: Actor, worth: Sequence[Amount],
        lent: Sequence[DelegationView] | None,
    ) -> tuple[str | None, Lent | None]:
        """Why the actor may not sign, if so; and for whom they would sign, if for another person."""
        if row.state != "open":
            return "This gate is decided.", None
        try:
            right = self.right_to_sign(tx, row, actor, done, lambda: worth, lent)
        except NotAnApprover as refusal:
            return str(refusal), None
        return signed_by(here, actor.name, right.by.name if right else None) or blocked_reason(done, actor), right


def signatures_of(tx: Session, task_id: str) -> list[Signature]:
    """Every signature under one visit to a gate, void ones too, oldest first."""
    return list(tx.scalars(select(Signature).where(Signature.task_id == task_id).order_by(Signature.id)))


def check_open(row: Task) -> None:
    """AlreadyDecided when a gate is not open any more."""
    if row.state != "open":
        raise AlreadyDecided(f"This gate is decided already, by {row.completed_by}." if row.completed_by
                             else "This gate was withdrawn: the order went another way.", row.completed_by)


def check_fresh(submission: Mapping[str, Any], snapshot: str) -> None:
    """StaleSnapshot when what was read is not what would be signed."""
    if digest(submission) != snapshot:
        raise StaleSnapshot("What is submitted has changed since you opened the page. Read it again.")


def why_no_override(row: Task, actor: Actor, worked: set[str]) -> str | None:
    """Why somebody may not open this gate in an emergency."""
    if not actor.is_owner:
        return "Only the owner opens a gate in an emergency."
    if row.team in actor.teams:
        return "You are one of those who sign this gate: sign it."
    return blocked_reason(worked, actor)


def _says(signature: Signature) -> dict[str, Any]:
    """A signature as the history keeps it."""
    says = {
        "decision": signature.decision, "comment": signature.comment, "snapshot": signature.snapshot,
        "send_back_to": signature.send_back_to, "printed_name": signature.printed_name,
        "meaning": signature.meaning, "proof": signature.proof,
    }
    if signature.on_behalf_of is not None:
        says["on_behalf_of"] = signature.on_behalf_of
    if signature.emergency:
        says["emergency"] = True
    return says
