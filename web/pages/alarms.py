"""Alarms: gates that the owner has opened in an emergency, and the page on which that is done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, flash, make_response, redirect, request, url_for

from engine.emergencies import SHORTEST_REASON
from engine.errors import AlreadyDecided, Conflict, InvalidForm, NotAllowed, StaleSnapshot
from engine.views import TaskDetail
from web.gate_facts import gate_facts
from web.names import named
from web.pages.errors import error_page
from web.pages.shell import me, page_of
from web.pages.signing import asked_again
from web.pages.submissions import describe
from web.permissions import permission
from web.services import current_services
from web.texts import _


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/alarms", "alarms", show)
    pages.add_url_rule("/alarms/<int:alarm_id>/acknowledge", "acknowledge_alarm", acknowledge, methods=["POST"])
    pages.add_url_rule("/tasks/<task_id>/override", "override", ask)
    pages.add_url_rule("/tasks/<task_id>/override", "override_gate", override, methods=["POST"])


@permission("alarms.read")
def show() -> Any:
    """The alarms that concern the person; those that nobody has acknowledged first."""
    return _page({})


@permission("alarms.read")
def acknowledge(alarm_id: int) -> Any:
    """Takes an alarm off the list, with what was found."""
    note = request.form.get("note", "")
    try:
        current_services().engine.acknowledge_alarm(alarm_id, me().actor, note)
    except InvalidForm as refused:
        return _page({alarm_id: refused.errors[0].message}, {alarm_id: note}, status=422)
    except (NotAllowed, Conflict) as refused:
        status = 409 if isinstance(refused, Conflict) else 403
        return error_page(status, _("It was not acknowledged"), named(refused), back=url_for("pages.alarms"))
    flash(_("Acknowledged. What you found is kept with the alarm and in the order’s history."))
    return redirect(url_for("pages.alarms"), 303)


def _page(errors: Mapping[int, str], typed: Mapping[int, str] | None = None, *, status: int = 200) -> Response:
    found = current_services().engine.alarms(me().actor, unacknowledged=False)
    body = page_of(
        "alarms.html", section="alarms", waiting=[a for a in found if a.acknowledged_at is None],
        seen=[a for a in found if a.acknowledged_at is not None], errors=errors, typed=typed or {},
    )  # fmt: skip
    return make_response(body, status)


@permission("tasks.work")
def ask(task_id: str) -> Any:
    """What opening this gate in an emergency does, and the form for it."""
    detail = current_services().engine.task(task_id, me().actor)
    return _unfit(detail) or _ask(detail, {}, "")


@permission("tasks.work")
def override(task_id: str) -> Any:
    """Opens the gate without its approvers. The engine decides who may, and records every attempt."""
    services, person = current_services(), me()
    detail = services.engine.task(task_id, person.actor)
    if refused := _unfit(detail):
        return refused
    reason = request.form.get("reason", "").strip()
    proof, wrong = asked_again("override", task_id)
    if wrong:
        return _ask(detail, wrong, reason, status=422)
    try:
        task = services.engine.override(
            task_id, person.actor, reason=reason, snapshot=request.form.get("snapshot", ""), proof=proof
        )
    except InvalidForm as refusal:
        return _ask(detail, {"reason": refusal.errors[0].message}, reason, status=422)
    except (StaleSnapshot, AlreadyDecided) as refusal:
        fresh = services.engine.task(task_id, person.actor)
        said = _("%(why)s The gate was not opened.", why=named(refusal))
        return _ask(fresh, {"reason": said}, reason, status=409)
    except NotAllowed as refusal:
        back = url_for("pages.task", task_id=task_id)
        said = _("%(why)s The attempt is on record.", why=named(refusal))
        return error_page(403, _("The gate was not opened"), said, back=back)
    flash(_("%(order)s: the gate is open, and the order goes on. The alarm stays until somebody else has looked.",
            order=task.order))  # fmt: skip
    return redirect(url_for("pages.task", task_id=task_id), 303)


def _unfit(detail: TaskDetail) -> Any:
    if detail.approval is None or not detail.approval.can_override:
        why = _(
            "Only the owner opens a gate in an emergency, while it waits, and only one who has not worked on the order."
        )
        back = url_for("pages.task", task_id=detail.task.id)
        return error_page(403, _("You cannot open this gate"), why, back=back)
    return None


def _ask(detail: TaskDetail, errors: Mapping[str, str], reason: str, *, status: int = 200) -> Response:
    assert detail.approval is not None
    with current_services().database.read() as session:
        facts = gate_facts(session, [detail.task.order]).get(detail.task.order)
    body = page_of(
        "override.html", section="inbox", task=detail.task, approval=detail.approval, facts=facts, errors=errors,
        submission=describe(detail.approval.submission), reason=reason, shortest=SHORTEST_REASON,
    )  # fmt: skip
    return make_response(body, status)
