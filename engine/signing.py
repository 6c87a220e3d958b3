"""What a signature under a gate needs and says: who may not sign, how many are wanted, the sentence that is signed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.codec import digest, unpack
from engine.definitions import Element
from engine.errors import InvalidForm
from engine.expressions import compile_expression
from engine.forms import text_fault
from engine.store.tables import Signature, Task
from engine.unit import Unit
from engine.views import SYSTEM, Actor, Decision
from handlers.contract import FieldError

PASSWORD = "password"  # noqa: S105 - the kind of proof, not one
"""How a signature was proven, where the caller says nothing else."""
LONGEST_COMMENT = 2000
"""Characters."""


def workers(tx: Session, unit: Unit, gate: Element) -> set[str]:
    """Who did a user task of the order so far, or typed a draft of one, and therefore may not sign this gate.

    Which words of a draft are whose is not known, so everybody who saved one counts.
    `separateFrom` on the gate lists the elements that count instead, e.g. `receive_order, approve_reservation`.
    """
    statement = select(Task.completed_by, Task.draft_authors).where(
        Task.instance_id == unit.row.id, Task.state == "done", Task.completed_by.is_not(None),
        Task.element != gate.id,
    )
    only = [part.strip() for part in gate.properties.get("separateFrom", "").split(",") if part.strip()]
    if only:
        statement = statement.where(Task.element.in_(only))
    return {name for by, drafts in tx.execute(statement) for name in (by, *drafts.splitlines()) if name}


def blocked_reason(done: set[str], actor: Actor) -> str | None:
    if actor.name in done:
        return "You worked on this order, so another person must sign it."
    return None


def signed_by(signatures: Sequence[Signature], *people: str | None) -> str | None:
    """Why none of these people can sign once more; a person and whoever signs for them count as one."""
    for each in signatures:
        if each.actor == people[0]:
            return "You have signed this gate. The second signature must be another person's."
        name = each.printed_name or each.actor
        for person, whose in zip(people, ("you", "the person for whom you sign"), strict=False):
            if person is not None and person == each.on_behalf_of:
                return f"{name} has signed this gate for {whose}. The second signature must be another person's."
            if person is not None and person == each.actor:
                return f"{name}, for whom you sign, has signed this gate. The second must be another person's."
    return None


def signatures_needed(unit: Unit, element: Element) -> int:
    """How many distinct people must approve: the gate's `signatures` expression, one when it has none."""
    text = element.properties.get("signatures")
    return max(1, int(compile_expression(text).evaluate(unit.variables))) if text else 1


def meaning(element: Element, decision: Decision, *, acts_for: str | None = None) -> str:
    """The sentence that is signed."""
    steps = " and ".join(str(number) for number in element.steps("submits"))
    checked = f"I have checked what is submitted from {'steps' if ' and ' in steps else 'step'} {steps}"
    does = {"approve": "approve it", "send_back": "send it back", "reject": "reject it"}[decision]
    return f"{checked} and {does}" + (f", for {acts_for}." if acts_for else ".")


def fall_void(unit: Unit, element: Element, signatures: Sequence[Signature], submission: Mapping[str, Any]) -> None:
    """Marks signatures as void that were given for something else than what is submitted now; the history says why."""
    snapshot = digest(submission)
    for each in signatures:
        if each.void_at is None and each.snapshot != snapshot:
            each.void_at, each.void_why = unit.now(), why_void(each, submission)
            unit.event("signature_void", element, actor=SYSTEM.name, by=each.actor, why=each.void_why,
                       snapshot=each.snapshot, now=snapshot)


def why_void(signature: Signature, submission: Mapping[str, Any]) -> str:
    """What of the submission has changed since it was signed, as a sentence."""
    then = unpack(signature.submission)
    changed = [key for key in {**then, **submission} if then.get(key) != submission.get(key)]
    return f"What was signed has changed: {', '.join(key.replace('_', ' ') for key in changed)}."


def check_decision(element: Element, decision: str, comment: str, send_back_to: int | None) -> None:
    """InvalidForm when a decision is not complete."""
    faults = []
    if decision not in ("approve", "reject", "send_back"):
        faults.append(FieldError("/decision", "Choose approve, reject or send_back."))
    if decision != "approve" and not comment.strip():
        faults.append(FieldError("/comment", "Give a reason; it is kept in the history."))
    if fault := text_fault(comment):
        faults.append(FieldError("/comment", fault))
    if len(comment) > LONGEST_COMMENT:
        faults.append(FieldError("/comment", f"Enter at most {LONGEST_COMMENT} characters."))
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
