"""One task: its form, its draft, claiming and completing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flask import Blueprint, Response, flash, make_response, redirect, request, url_for
from werkzeug.datastructures import MultiDict

from engine.errors import Conflict, InvalidForm, NotAllowed
from engine.views import TaskDetail, TaskView
from handlers.contract import FieldError, Problem
from web import forms, queries
from web.pages import approvals
from web.pages.errors import error_page
from web.pages.inbox import list_part, read_listing
from web.pages.shell import me, page_of, times, who
from web.pages.withdrawn import why_withdrawn
from web.permissions import permission
from web.services import current_services


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
        return error_page(409, "This is an approval", "Sign it on its own page.", back=_address(task_id))
    typed = forms.parse(detail.form, _posted(request.form))
    if row := request.form.get("_add"):
        return _page(detail, forms.add_row(detail.form, typed, row), focus=row)
    if row := request.form.get("_remove"):
        return _page(detail, forms.remove_row(detail.form, typed, row))
    try:
        if request.form.get("_action") == "draft":
            return _keep(detail.task, typed)
        done = engine.complete(task_id, actor, typed)
    except (InvalidForm, Problem) as refused:
        return _page(engine.task(task_id, actor), typed, refused.errors, status=422)
    except (Conflict, NotAllowed) as refused:
        return _page(
            engine.task(task_id, actor),
            typed,
            notice=f"{_named(refused)} Nothing was changed.",
            status=_status(refused),
        )
    if done.state == "open":
        return redirect(_address(task_id), 303)  # an operation failed unforeseen: the page says so, the input is kept
    flash(f"{done.name} for {done.order} is done.")
    following = _next_of(done)
    if following is not None:
        flash(following.id, "next-task")
        flash(following.name, "next-name")
        flash(following.order, "next-order")
    return redirect(url_for("pages.inbox", **_filter()), 303)


@permission("tasks.work")
def autosave(task_id: str) -> Any:
    """Keeps the draft while somebody types; answers with when."""
    services, actor = current_services(), me().actor
    detail = services.engine.task(task_id, actor)
    if detail.task.assignee != actor.name or detail.task.state != "open":
        return make_response("", 204)
    services.engine.save_task_draft(task_id, actor, forms.parse(detail.form, _posted(request.form)))
    return f"Draft saved at {times().seconds(services.clock.now())}"


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
        return error_page(422, "It was not taken over", why, back=back, back_text="Look at the task")


def _then_show(task_id: str, command: Any) -> Any:
    try:
        command()
    except (Conflict, NotAllowed) as refused:
        status, back = _status(refused), _address(task_id)
        return error_page(status, detail=_named(refused), back=back, back_text="Look at the task")
    return redirect(_address(task_id), 303)


def _keep(task: TaskView, typed: Mapping[str, Any]) -> Any:
    engine, actor = current_services().engine, me().actor
    if task.assignee is None:
        engine.claim(task.id, actor)
    engine.save_task_draft(task.id, actor, typed)
    flash(f"Draft saved at {times().seconds(current_services().clock.now())}", "draft")
    return redirect(_address(task.id), 303)


def _page(
    detail: TaskDetail,
    document: Mapping[str, Any],
    errors: Iterable[FieldError] = (),
    *,
    notice: str | None = None,
    focus: str | None = None,
    status: int = 200,
) -> Response:
    listing = read_listing()
    task, person = detail.task, me()
    form = forms.build(detail.form, detail.ui, document, errors)
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
        customer=listing.customers.get(task.order) or _customer(task.order),
        paragraphs=[part.strip() for part in detail.instructions.split("\n\n") if part.strip()],
    )
    return make_response(body, status)


def _locked(task: TaskView) -> str | None:
    """Why the form cannot be filled in by the one who looks at it, or None."""
    person = me()
    if task.state == "done":
        return f"Done by {who(task.completed_by)}" if task.completed_by else "Done"
    if task.state == "withdrawn":
        return "Withdrawn"
    if task.team not in person.actor.teams:
        return "You may look at this task. It is for another team"
    if task.assignee not in (None, person.name):
        return f"{who(task.assignee)} has this task"
    return None


def document_of(detail: TaskDetail) -> Mapping[str, Any]:
    """What the form starts with: the draft when there is one."""
    return detail.draft if isinstance(detail.draft, dict) else detail.data


def _customer(order: str) -> tuple[str, str] | None:
    with current_services().database.read() as session:
        return queries.customers(session, [order]).get(order)


def _next_of(done: TaskView) -> TaskView | None:
    """The order's next task, when it is one for my teams."""
    teams = me().actor.teams
    tasks = current_services().engine.order_tasks(done.order)
    return next((t for t in tasks if t.state == "open" and t.team in teams and t.kind == "form"), None)


def _posted(form: MultiDict[str, str]) -> dict[str, list[str]]:
    return {name: form.getlist(name) for name in form}


def _filter() -> dict[str, Any]:
    return {k: v for k, v in request.args.items() if k in ("view", "team", "step", "q")}


def _address(task_id: str) -> str:
    return url_for("pages.task", task_id=task_id, **_filter())


def _status(refused: Exception) -> int:
    return 409 if isinstance(refused, Conflict) else 403


def _named(refused: Exception) -> str:
    """The refusal with the person's display name in place of the user name."""
    name = getattr(refused, "who", None)
    return str(refused).replace(name, who(name)) if name else str(refused)
