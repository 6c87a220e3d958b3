"""The page of a gate: exactly what is signed, who did what, what changed since it was sent back, and the signature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from flask import Blueprint, Response, flash, make_response, redirect, request, url_for

from engine.errors import AlreadyDecided, InvalidForm, NotAllowed, StaleSnapshot
from engine.views import Approval, Decision, TaskDetail
from handlers.contract import FieldError
from web import accounts, queries
from web.pages.errors import error_page
from web.pages.history import sentences
from web.pages.shell import me, page_of, who
from web.pages.submissions import changes, describe
from web.pages.withdrawn import why_withdrawn
from web.permissions import permission
from web.services import current_services

_DECISIONS = ("approve", "send_back", "reject")


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/tasks/<task_id>/decide", "decide", decide, methods=["POST"])


def page(
    detail: TaskDetail,
    *,
    errors: Mapping[str, str] | None = None,
    typed: Mapping[str, str] | None = None,
    notice: str | None = None,
    status: int = 200,
) -> Response:
    """The gate's page, with what was typed and what is wrong with it."""
    assert detail.approval is not None
    services, task, approval = current_services(), detail.task, detail.approval
    with services.database.read() as session:
        row = queries.order_row(session, task.order)
        approvers = {u.name: u.display_name for u in accounts.users(session) if u.active and task.team in u.teams}
    signed = {s.actor for s in approval.signatures}
    body = page_of(
        "approval.html",
        section="inbox",
        detail=detail,
        task=task,
        approval=approval,
        row=row,
        submission=describe(approval.submission),
        changes=changes(approval.earlier_submission, approval.submission) if approval.earlier_submission else (),
        sent_back=[s for s in approval.earlier if s.decision == "send_back"],
        history=sentences(services.engine.history(task.order), who),
        can_sign=[shown for name, shown in approvers.items() if name not in signed and name not in approval.workers],
        neighbours=_neighbours(task.id),
        decisions=_decisions(approval),
        withdrawn=why_withdrawn(task) if task.state == "withdrawn" else None,
        errors=errors or {},
        typed=typed or {},
        notice=notice,
    )
    return make_response(body, status)


@permission("tasks.work")
def decide(task_id: str) -> Any:
    """Signs: the decision, its reason, the snapshot that was shown, and the password once more."""
    services, person = current_services(), me()
    typed = {name: request.form.get(name, "") for name in ("decision", "comment", "send_back_to", "snapshot")}
    detail = services.engine.task(task_id, person.actor)
    if detail.approval is None:
        return error_page(409, "This is no approval", "It has a form to fill in.")
    wrong = _check(typed) or _check_password(request.form.get("password", ""))
    if wrong:
        return page(detail, errors=wrong, typed=typed, status=422)
    step = int(typed["send_back_to"]) if typed["decision"] == "send_back" and typed["send_back_to"].isdigit() else None
    try:
        task, have, need = services.engine.decide(
            task_id,
            person.actor,
            cast(Decision, typed["decision"]),
            comment=typed["comment"].strip(),
            snapshot=typed["snapshot"],
            send_back_to=step,
        )
    except InvalidForm as refused:
        return page(detail, errors=_by_field(refused.errors), typed=typed, status=422)
    except StaleSnapshot:
        notice = (
            "What is submitted has changed since you opened this page. Nothing was signed. Read it again, then sign."
        )
        fresh = services.engine.task(task_id, person.actor)
        return page(fresh, typed={**typed, "decision": ""}, notice=notice, status=409)
    except AlreadyDecided as refused:
        fresh = services.engine.task(task_id, person.actor)
        return page(fresh, typed=typed, notice=f"{refused} Your decision was not taken.", status=409)
    except NotAllowed as refused:
        fresh = services.engine.task(task_id, person.actor)
        notice = f"{refused} The attempt is on record."
        return page(fresh, typed=typed, notice=notice, status=403)
    flash(_said(task.order, typed["decision"], step, have, need))
    return redirect(url_for("pages.inbox"), 303)


def _said(order: str, decision: str, step: int | None, have: int, need: int) -> str:
    if decision == "send_back":
        return f"{order} is sent back to step {step}."
    if decision == "reject":
        return f"{order} is rejected. It is being cancelled, and the customer is told."
    if have < need:
        return f"You have signed {order}: {have} of {need} signatures. It waits for another person."
    return f"{order} is approved and goes on."


def _check(typed: Mapping[str, str]) -> dict[str, str]:
    if typed["decision"] not in _DECISIONS:
        return {"decision": "Choose what you decide."}
    if typed["decision"] != "approve" and not typed["comment"].strip():
        return {"comment": "Give a reason. It is kept in the history."}
    return {}


def _check_password(password: str) -> dict[str, str]:
    services, person = current_services(), me()
    now = services.wall_clock.now()
    wait = services.signing.wait_seconds(person.name, now)
    if wait:
        return {"password": f"Too many wrong passwords. Wait {max(1, wait // 60)} min, then try again."}
    with services.database.read() as session:
        if accounts.verify_password(session, person.name, password[:200]) is not None:
            services.signing.succeeded(person.name)
            return {}
    services.signing.failed(person.name, now)
    return {"password": "This is not your password." if password else "Enter your password: it is your signature."}


def _by_field(errors: tuple[FieldError, ...]) -> dict[str, str]:
    return {error.field.strip("/") or "decision": error.message for error in errors}


def _decisions(approval: Approval) -> list[dict[str, str]]:
    """What may be decided here, with what each does."""
    last = approval.need - len(approval.signatures) <= 1
    steps = " and ".join(str(number) for number, _ in approval.submits)
    found = [
        {
            "value": "approve",
            "label": "Approve",
            "hint": "The order goes on" if last else "The order waits for the next signature",
            "says": "approve",
            "meaning": f"I have checked what is submitted from steps {steps} and approve it",
        }
    ]
    if approval.send_back_to:
        voids = "; voids the signatures so far" if approval.signatures else ""
        found.append(
            {
                "value": "send_back",
                "label": "Send back",
                "hint": f"The step is done again, then it comes back here{voids}",
                "says": "send back",
                "meaning": "I have checked what is submitted and send it back",
            }
        )
    found.append(
        {
            "value": "reject",
            "label": "Reject",
            "hint": "Cancels the order and tells the customer",
            "says": "reject",
            "meaning": "I have checked what is submitted and reject it",
        }
    )
    return found


def _neighbours(task_id: str) -> dict[str, Any]:
    """Where this gate stands among those that wait for me."""
    found = current_services().engine.tasks(me().actor, limit=200).items
    waiting = [task.id for task in found if task.kind == "approval"]
    if task_id not in waiting:
        return {"count": len(waiting), "at": None, "previous": None, "next": None}
    at = waiting.index(task_id)
    return {
        "count": len(waiting),
        "at": at + 1,
        "previous": waiting[at - 1] if at else None,
        "next": waiting[at + 1] if at + 1 < len(waiting) else None,
    }
