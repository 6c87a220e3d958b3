"""One task: its form, its draft, claiming and completing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

import orjson
from flask import Blueprint, Response, flash, jsonify, make_response, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict

from engine.errors import Conflict, DraftChanged, InvalidForm, NotAllowed
from engine.views import TaskDetail, TaskView
from handlers.contract import FieldError, Problem
from web import forms
from web.names import named, who
from web.pages import approvals
from web.pages.errors import error_page
from web.pages.holding import held_by
from web.pages.inbox import list_part, read_filter, read_listing, wanted_of
from web.pages.shell import me, page_of, times
from web.pages.withdrawn import why_withdrawn
from web.permissions import permission
from web.services import current_services
from web.texts import _


def register(pages: Blueprint) -> None:
    add = pages.add_url_rule
    add("/tasks/<task_id>", "task", show)
    add("/tasks/<task_id>", "complete_task", submit, methods=["POST"])
    add("/tasks/<task_id>/draft", "save_draft", autosave, methods=["POST"])
    add("/tasks/<task_id>/claim", "claim_task", claim, methods=["POST"])
    add("/tasks/<task_id>/release", "release_task", release, methods=["POST"])
    add("/tasks/<task_id>/take-over", "take_over_task", take_over, methods=["POST"])


@permission("tasks.read")
def show(task_id: str) -> Any:
    """The task beside the list; a gate has a page of its own."""
    detail = current_services().engine.task(task_id, me().actor)
    if detail.approval is not None:
        return approvals.page(detail)
    return _page(detail, document_of(detail))


@permission("tasks.work")
def submit(task_id: str) -> Any:
    """What the form's buttons do: complete, save the draft, add or remove a row. Nothing that was typed is lost."""
    engine, actor = current_services().engine, me().actor
    detail = engine.task(task_id, actor)
    if detail.approval is not None:
        return error_page(409, _("This is an approval"), _("Sign it on its own page."), back=_address(task_id))
    typed = forms.parse(detail.form, _posted(request.form))
    if row := request.form.get("_add"):
        return _page(detail, forms.add_row(detail.form, typed, row), focus=row)
    if row := request.form.get("_remove"):
        return _page(detail, forms.remove_row(detail.form, typed, row))
    action = request.form.get("_action")
    if action == "theirs":
        return _page(detail, document_of(detail), base=detail.task.draft_revision, mine=typed)
    try:
        if action in ("draft", "keep", "mine"):
            kept = _set_aside(typed) if action == "mine" else typed
            return _keep(detail.task, kept, _number("_newest" if action == "keep" else "_draft"))
        done = engine.complete(task_id, actor, typed, draft_revision=_number("_draft"))
    except DraftChanged as changed:
        return _page(engine.task(task_id, actor), typed, changed=changed, status=409)
    except (InvalidForm, Problem) as refused:
        return _page(engine.task(task_id, actor), typed, refused.errors, status=422)
    except (Conflict, NotAllowed) as refused:
        return _page(
            engine.task(task_id, actor),
            typed,
            notice=_("%(why)s Nothing was changed.", why=named(refused)),
            status=_status(refused),
        )
    if done.state == "open":
        return redirect(_address(task_id), 303)  # an operation failed unforeseen: the page says so, the input is kept
    return _go_on(done)


def _go_on(done: TaskView) -> Response:
    """To the next task, where there is one, else to the list."""
    following = current_services().engine.next_task(me().actor, done, wanted_of(read_filter()))
    flash(_what_came_of(done, following), "done")
    flash(done.id, "done-task")
    address = _address(following.id) if following else url_for("pages.inbox", **read_filter().address())
    return cast(Response, redirect(address, 303))


def _what_came_of(done: TaskView, following: TaskView | None) -> str:
    """That it is done; of one that is open again at once, say because the doubt remains, that too."""
    values = {"task": done.name, "order": done.order}
    if following is None:
        return _("%(task)s for %(order)s is done.", **values)
    if (following.order, following.element) != (done.order, done.element):
        return _("%(task)s for %(order)s is done. This is the next one.", **values)
    if following.reason is None:
        return _("%(task)s for %(order)s was taken, and is to be done once more.", **values)
    why = times().in_text(following.reason)
    return _("%(task)s for %(order)s was taken, and is to be done once more: %(why)s", why=why, **values)


@permission("tasks.work")
def autosave(task_id: str) -> Any:
    """Keeps the draft while somebody types, and takes the task if nobody has it. Answers with what the page then says;
    409 when another window or a colleague was there."""
    services, actor = current_services(), me().actor
    detail = services.engine.task(task_id, actor)
    typed = forms.parse(detail.form, _posted(request.form))
    free = detail.task.assignee is None
    try:
        saved = services.engine.save_task_draft(task_id, actor, typed, revision=_number("_draft"), claim=free)
    except DraftChanged as changed:
        return jsonify(changed=render_template("parts/draft_changed.html", changed=changed)), 409
    except (Conflict, NotAllowed) as refused:
        return jsonify(said=_("Not saved. %(why)s", why=named(refused))), _status(refused)
    claim = render_template("parts/claim.html", task=saved, mine=True, keep=read_filter().address()) if free else ""
    at = times().seconds(services.clock.now())
    said = _("Draft saved at %(time)s. The task is yours now", time=at) if free else _saved(at)
    return jsonify(said=said, revision=saved.draft_revision, claim=claim)


@permission("tasks.work")
def claim(task_id: str) -> Any:
    """Takes the task, so that nobody else starts it."""
    return _then_show(task_id, lambda: current_services().engine.claim(task_id, me().actor))


@permission("tasks.work")
def release(task_id: str) -> Any:
    """Gives the task back to its team."""
    return _then_show(task_id, lambda: current_services().engine.release(task_id, me().actor))


@permission("tasks.work")
def take_over(task_id: str) -> Any:
    """Takes a task from the colleague who has it; the note goes into the history."""
    engine, actor = current_services().engine, me().actor
    try:
        return _then_show(task_id, lambda: engine.take_over(task_id, actor, request.form.get("note", "")))
    except InvalidForm as refused:
        why, back = refused.errors[0].message, _address(task_id)
        return error_page(422, _("It was not taken over"), why, back=back, back_text=_("Look at the task"))


def _then_show(task_id: str, command: Any) -> Any:
    try:
        command()
    except (Conflict, NotAllowed) as refused:
        status, back = _status(refused), _address(task_id)
        return error_page(status, detail=named(refused), back=back, back_text=_("Look at the task"))
    return redirect(_address(task_id), 303)


def _keep(task: TaskView, typed: Mapping[str, Any], revision: int | None) -> Any:
    engine, actor = current_services().engine, me().actor
    engine.save_task_draft(task.id, actor, typed, revision=revision, claim=task.assignee is None)
    flash(_saved(times().seconds(current_services().clock.now())), "draft")
    return redirect(_address(task.id), 303)


def _saved(at: str) -> str:
    return _("Draft saved at %(time)s", time=at)


def _number(name: str) -> int | None:
    """A revision that the form sends."""
    text = request.form.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 10 else None


def _set_aside(typed: Mapping[str, Any]) -> Mapping[str, Any]:
    """What had been typed before the other draft was shown; it comes along with the form."""
    try:
        sent = orjson.loads(request.form.get("_mine", ""))
    except orjson.JSONDecodeError:
        sent = None
    return sent if isinstance(sent, dict) else typed


def _page(
    detail: TaskDetail,
    document: Mapping[str, Any],
    errors: Iterable[FieldError] = (),
    *,
    notice: str | None = None,
    focus: str | None = None,
    status: int = 200,
    changed: DraftChanged | None = None,
    base: int | None = None,
    mine: Mapping[str, Any] | None = None,
) -> Response:
    task, person = detail.task, me()
    listing = read_listing(beside=[task.order])
    form = forms.build(detail.form, detail.ui, document, errors)
    if base is None:  # a form that was sent still builds on the draft that it began with
        sent = _number("_draft")
        base = task.draft_revision if sent is None else sent
    body = page_of(
        "task.html",
        section="inbox",
        listing=listing,
        list_html=list_part(listing, task.id),
        detail=detail,
        task=task,
        form=form,
        focus=focus,
        notice=notice,
        withdrawn=why_withdrawn(task) if task.state == "withdrawn" else None,
        mine=task.assignee == person.name and task.state == "open",
        locked=_locked(task),
        takeable=task.state == "open" and task.team in person.actor.teams and task.assignee not in (None, person.name),
        customer=listing.customers.get(task.order),
        paragraphs=[part.strip() for part in detail.instructions.split("\n\n") if part.strip()],
        base=base,
        changed=changed,
        unsaved=request.method == "POST" and mine is None,
        set_aside=orjson.dumps(dict(mine)).decode() if mine is not None else None,
    )
    return make_response(body, status)


def _locked(task: TaskView) -> str | None:
    """Why the form cannot be filled in by the one who looks at it, in a sentence, or None."""
    person = me()
    if task.state in ("done", "withdrawn"):
        at = times().when(task.completed_at) if task.completed_at else ""
        if task.state == "withdrawn":
            return _("Withdrawn, %(time)s.", time=at)
        if not task.completed_by:
            return _("Done, %(time)s.", time=at)
        return _("Done by %(name)s, %(time)s.", name=who(task.completed_by), time=at)
    if task.team not in person.actor.teams:
        return _("You may look at this task. It is for another team.")
    if task.assignee not in (None, person.name):
        return held_by(task)
    return None


def document_of(detail: TaskDetail) -> Mapping[str, Any]:
    """What the form starts with: the draft when there is one."""
    return detail.draft if isinstance(detail.draft, dict) else detail.data


def _posted(form: MultiDict[str, str]) -> dict[str, list[str]]:
    return {name: form.getlist(name) for name in form}


def _address(task_id: str) -> str:
    return url_for("pages.task", task_id=task_id, **read_filter().address())


def _status(refused: Exception) -> int:
    return 409 if isinstance(refused, Conflict) else 403
