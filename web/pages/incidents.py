"""Incidents: jobs that gave up, by cause. Tried again, which does nothing twice, or resolved by hand with a reason."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Blueprint, flash, make_response, redirect, request, url_for

from engine.errors import Conflict, InvalidForm
from engine.incidents import MOST_AT_ONCE
from engine.views import OpenIncident
from handlers.contract import FieldError
from web import queries
from web.auth import safe_next
from web.names import named
from web.pages.errors import error_page
from web.pages.shell import me, page_of
from web.permissions import permission
from web.services import current_services
from web.texts import N_, _, ngettext

_MEANS = {
    "message": N_("The message is set aside, and the order waits for the next one. It can be put back under Messages."),
    "timer": N_("The timer does not fire any more; the step that it belongs to goes on without it."),
    "due": N_("Nobody is reminded of the task."),
    "form": N_("The task stays open, with what was submitted as its draft."),
    "decision": N_("The task stays open; nothing is decided."),
}
"""What resolving by hand does, by kind of job; the others end, or let the order go on."""


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/incidents", "incidents", show)
    pages.add_url_rule("/incidents/retry", "retry_jobs", retry, methods=["POST"])
    pages.add_url_rule("/incidents/<job_id>", "incident", ask)
    pages.add_url_rule("/incidents/<job_id>/resolve", "resolve_job", resolve, methods=["POST"])


@permission("jobs.read")
def show() -> Any:
    """Incidents by cause, the cause that stops most orders first."""
    services = current_services()
    causes = services.engine.incidents()
    with services.database.read() as session:
        customers = queries.customers(session, {job.order for cause in causes for job in cause.jobs})
    return page_of(
        "incidents.html",
        section="incidents",
        causes=causes,
        count=sum(cause.count for cause in causes),
        customers=customers,
        most=MOST_AT_ONCE,
    )


@permission("jobs.retry")
def retry() -> Any:
    """Tries jobs again, each with its own key: those that are named, or all of a cause."""
    engine, actor = current_services().engine, me().actor
    cause = request.form.get("cause")
    tried = engine.retry_all(actor, cause=cause or None, ids=request.form.getlist("job"))
    done = sum(one.problem is None for one in tried)
    gone = len(tried) - done
    if done:
        flash(ngettext("It is being tried again.", "%(num)s jobs are being tried again.", done))
    if gone or not tried:
        some = ngettext("%(num)s of them was dealt with before.", "%(num)s of them were dealt with before.", gone)
        flash(some if done else _("This has been dealt with already."))
    return redirect(safe_next(request.form.get("back")) or url_for("pages.incidents"), 303)


@permission("jobs.retry")
def ask(job_id: str) -> Any:
    """One incident with all that is known, and what resolving it by hand means."""
    try:
        incident = current_services().engine.incident(job_id)
    except Conflict as gone:
        return _gone(gone)
    return _form(incident, {}, "", "")


@permission("jobs.retry")
def resolve(job_id: str) -> Any:
    """Ends an incident because a person has done its work."""
    engine = current_services().engine
    reason, text = request.form.get("reason", ""), request.form.get("result", "")
    try:
        incident = engine.incident(job_id)
        engine.resolve(job_id, me().actor, reason, _result(text))
    except InvalidForm as faults:
        errors = {fault.field.split("/")[1]: fault.message for fault in faults.errors}
        return make_response(_form(incident, errors, reason, text), 422)
    except Conflict as gone:
        return _gone(gone)
    job = incident.job
    what = job.name or job.operation or _("The job")
    flash(_("%(job)s of %(order)s is resolved by hand.", job=what, order=job.order))
    return redirect(safe_next(request.form.get("back")) or url_for("pages.incidents"), 303)


def _result(text: str) -> dict[str, Any] | None:
    """The result as it was typed; None when nothing was. InvalidForm when it is no JSON object."""
    if not text.strip():
        return None
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        wrong = _("This is not JSON (line %(line)s: %(what)s).", line=error.lineno, what=error.msg)
        raise InvalidForm([FieldError("/result", wrong)]) from error
    if not isinstance(value, dict):
        wrong = _('Write an object with named values, such as {"reference": "4711"}.')
        raise InvalidForm([FieldError("/result", wrong)])
    return value


def _form(incident: OpenIncident, errors: dict[str, str], reason: str, result: str) -> str:
    return page_of(
        "incident.html",
        section="incidents",
        i=incident,
        job=incident.job,
        means=_(_MEANS.get(incident.job.kind, N_("Nothing else waits for it: it just ends."))),
        errors=errors,
        reason=reason,
        result=result,
    )


def _gone(error: Conflict) -> Any:
    back = url_for("pages.incidents")
    return error_page(409, _("Nothing was changed"), named(error), back=back, back_text=_("Back to the incidents"))
