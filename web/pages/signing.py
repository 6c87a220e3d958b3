"""Signing a gate: the decision, its reason, the snapshot that was shown, and the password once more; then the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from flask import Blueprint, flash, redirect, request, url_for

from engine.errors import AlreadyDecided, InvalidForm, NotAllowed, NotFound, StaleSnapshot
from engine.queue import MOST_COUNTED, Queue
from engine.views import Decision, TaskView
from handlers.contract import FieldError
from web.names import named, who
from web.pages.approvals import DECISIONS, page
from web.pages.errors import error_page
from web.pages.shell import me
from web.pages.shown import as_shown
from web.permissions import permission
from web.reauth import check_again
from web.services import current_services
from web.texts import _, ngettext


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/tasks/<task_id>/decide", "decide", decide, methods=["POST"])


@permission("tasks.work")
def decide(task_id: str) -> Any:
    """Signs, and opens the next gate that waits for the person."""
    services, person = current_services(), me()
    typed = {name: request.form.get(name, "") for name in ("decision", "comment", "send_back_to", "snapshot")}
    try:
        detail = services.engine.task(task_id, person.actor)
    except NotFound as refused:  # a page that was open when the right to sign ended
        services.engine.signing_refused(task_id, person.actor, str(refused))
        said = _("%(why)s The attempt is on record.", why=named(refused))
        return error_page(404, _("Nothing was signed"), said, back=url_for("pages.inbox"))
    if detail.approval is None:
        return error_page(409, _("This is no approval"), _("It has a form to fill in."))
    wrong = _check(typed)
    proof = ""
    if not wrong:
        proof, wrong = asked_again(typed["decision"], task_id)
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
            proof=proof,
        )
    except InvalidForm as refused:
        return page(detail, errors=_by_field(refused.errors), typed=typed, status=422)
    except StaleSnapshot:
        notice = _(
            "What is submitted has changed since you opened this page. Nothing was signed. Read it again, then sign."
        )
        fresh = services.engine.task(task_id, person.actor)
        shown = as_shown(request.form.get("shown", ""), typed["snapshot"])
        return page(fresh, typed={**typed, "decision": ""}, notice=notice, shown=shown, status=409)
    except AlreadyDecided as refused:
        fresh = services.engine.task(task_id, person.actor)
        by = fresh.task.completed_by
        why = _("%(person)s has decided this gate meanwhile.", person=who(by)) if by else str(refused)
        notice = _("%(why)s Your decision was not taken.", why=why)
        return page(fresh, typed=typed, notice=notice, status=409)
    except NotAllowed as refused:
        fresh = services.engine.task(task_id, person.actor)
        notice = _("%(why)s The attempt is on record.", why=named(refused))
        return page(fresh, typed=typed, notice=notice, status=403)
    rest = following(task)
    flash(f"{_said(task.order, typed['decision'], step, have, need)} {rest.said}")
    return redirect(rest.address, 303)


@dataclass(frozen=True, slots=True)
class Rest:
    """What waits for the person after a signature."""

    address: str
    """Of the next gate; of the inbox when none is left."""
    said: str


def following(task: TaskView) -> Rest:
    """The next gate that waits for the person, after one that was signed."""
    queue = current_services().engine.gates_waiting(me().actor, task)
    one = queue.next or queue.first
    if one is None:
        return Rest(url_for("pages.inbox"), _("No other approval waits for you."))
    return Rest(url_for("pages.task", task_id=one), _more(queue))


def _more(queue: Queue) -> str:
    if queue.count > MOST_COUNTED:
        return _("More than %(most)s more wait; this is the next.", most=MOST_COUNTED)
    return ngettext("One more waits; this is the next.", "%(num)s more wait; this is the next.", queue.count)


def _said(order: str, decision: str, step: int | None, have: int, need: int) -> str:
    if decision == "send_back":
        return _("%(order)s is sent back to step %(step)s.", order=order, step=step)
    if decision == "reject":
        return _("%(order)s is rejected. It is being cancelled, and the customer is told.", order=order)
    if have < need:
        return _("You have signed %(order)s: %(have)s of %(need)s signatures. It waits for another person.",
                 order=order, have=have, need=need)  # fmt: skip
    return _("%(order)s is approved and goes on.", order=order)


def _check(typed: Mapping[str, str]) -> dict[str, str]:
    if typed["decision"] not in DECISIONS:
        return {"decision": _("Choose what you decide.")}
    if typed["decision"] != "approve" and not typed["comment"].strip():
        return {"comment": _("Give a reason. It is kept in the history.")}
    return {}


def asked_again(decision: str, *gates: str) -> tuple[str, dict[str, str]]:
    """With what the person has proved again who they are, and what is wrong with it: field → sentence.

    A wrong password or code is recorded at the gates that were to be decided.
    """
    services, person = current_services(), me()
    again = check_again(services, person.name, request.form.get("password", ""), request.form.get("code", ""))
    if again.errors and not again.wait:
        for gate in gates:
            services.engine.signing_refused(gate, person.actor, again.record, decision=decision)
    return again.how or "", dict(again.errors)


def _by_field(errors: tuple[FieldError, ...]) -> dict[str, str]:
    return {error.field.strip("/") or "decision": error.message for error in errors}
