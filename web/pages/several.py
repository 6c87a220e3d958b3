"""Several tasks of one element, filled in once: what was typed goes to each, and each is completed by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from flask import Blueprint, flash, make_response, redirect, request, url_for

from engine.errors import InvalidForm
from engine.views import TaskDetail, TaskView
from handlers.contract import FieldError, Problem, WaybillError
from web import forms, queries
from web.api.tasks import MOST_AT_ONCE
from web.pages.errors import error_page
from web.pages.shell import me, page_of, who
from web.pages.tasks import document_of
from web.permissions import permission
from web.services import current_services


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/tasks/<task_id>/several", "several", show)
    pages.add_url_rule("/tasks/<task_id>/several", "complete_several", submit, methods=["POST"])


@dataclass(frozen=True, slots=True)
class Row:
    """One task of the list."""

    task: TaskView
    customer: tuple[str, str] | None
    chosen: bool
    held: str | None
    """Who has it, when that is somebody else: it cannot be chosen."""
    why: str
    """Why it was not taken; empty when it was not tried."""


@permission("tasks.work")
def show(task_id: str) -> Any:
    """The tasks that are like this one, and its form."""
    detail = current_services().engine.task(task_id, me().actor)
    if refused := _unfit(detail):
        return refused
    return _page(detail, document_of(detail), {detail.task.id}, {})


@permission("tasks.work")
def submit(task_id: str) -> Any:
    """Completes every chosen task. Those that are refused stay chosen, each with its reason, and the form keeps all."""
    detail = current_services().engine.task(task_id, me().actor)
    if (refused := _unfit(detail)) and detail.task.state == "open":
        return refused
    posted = {name: request.form.getlist(name) for name in request.form if name not in ("task", "_began")}
    typed = forms.parse(detail.form, posted)
    if row := request.form.get("_add"):
        return _page(detail, forms.add_row(detail.form, typed, row), _chosen(), {})
    if row := request.form.get("_remove"):
        return _page(detail, forms.remove_row(detail.form, typed, row), _chosen(), {})
    chosen = _chosen()
    if not chosen or len(chosen) > MOST_AT_ONCE:
        text = "Choose at least one task." if not chosen else f"Choose at most {MOST_AT_ONCE} tasks at once."
        return _page(detail, typed, chosen, {}, [FieldError("", text)], status=422)
    same = _as_it_was(detail, typed)
    results = {one: _complete(one, typed, same) for one in sorted(chosen)}
    done = [one for one, refusal in results.items() if refusal is None]
    if len(done) == len(results):
        flash(f"{len(done)} tasks are done." if len(done) > 1 else "One task is done.")
        return redirect(url_for("pages.inbox"), 303)
    errors = next((list(one.errors) for one in results.values() if isinstance(one, (InvalidForm, Problem))), [])
    left = {one: refusal for one, refusal in results.items() if refusal is not None}
    return _page(detail, typed, set(left), left, errors, done=len(done), status=422)


def _unfit(detail: TaskDetail) -> Any:
    """An error page where several cannot be done at once."""
    back = url_for("pages.task", task_id=detail.task.id)
    if detail.approval is not None:
        return error_page(409, "This is an approval", "Each gate is signed by itself.", back=back)
    if detail.task.state != "open":
        return error_page(409, "This task is not open any more", "Begin with another.", back=url_for("pages.inbox"))
    if detail.task.team not in me().actor.teams:
        return error_page(403, "This task is for another team", "Its own team does it.", back=back)
    return None


def _chosen() -> set[str]:
    return set(request.form.getlist("task"))


def _began(detail: TaskDetail) -> Mapping[str, Any]:
    """What the form began with. It comes along with the form, since the first task may be done by now."""
    try:
        sent = orjson.loads(request.form.get("_began", ""))
    except orjson.JSONDecodeError:
        sent = None
    return sent if isinstance(sent, dict) else document_of(detail)


def _as_it_was(detail: TaskDetail, typed: Mapping[str, Any]) -> set[str]:
    """The fields that hold what the form began with: each task keeps its own there, such as its own parcels."""
    began = _began(detail)
    return {name for name in detail.form.get("properties", {}) if _plain(typed.get(name)) == _plain(began.get(name))}


def _plain(value: Any) -> Any:
    """A value without what an empty input or an unticked box stands for."""
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items() if not _is_empty(each)}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return None if _is_empty(value) else value


def _is_empty(value: Any) -> bool:
    return value is None or value is False or value in ("", [], {})


def _complete(task_id: str, typed: Mapping[str, Any], same: set[str]) -> WaybillError | None:
    """None when it is done; else why it is not."""
    engine, actor = current_services().engine, me().actor
    try:
        own = engine.task(task_id, actor)
        if own.approval is not None:
            return InvalidForm([FieldError("", "This is an approval; it is signed by itself.")])
        held = document_of(own)
        document = {**typed, **{name: held[name] for name in same if name in held}}
        done = engine.complete(task_id, actor, document, revision=own.task.revision)
    except WaybillError as refused:
        return refused
    if done.state == "open":
        return InvalidForm([FieldError("", "It failed in a way nobody foresaw. What you entered is kept with it.")])
    return None


def _page(
    detail: TaskDetail, document: Mapping[str, Any], chosen: set[str], refused: Mapping[str, WaybillError],
    errors: Sequence[FieldError] = (), *, done: int = 0, status: int = 200,
) -> Any:
    services, person = current_services(), me()
    tasks = services.engine.tasks(person.actor, like=detail.task, limit=MOST_AT_ONCE).items
    with services.database.read() as session:
        customers = queries.customers(session, (task.order for task in tasks))
    rows = [
        Row(task, customers.get(task.order), task.id in chosen,
            task.assignee if task.assignee not in (None, person.name) else None,
            _why(refused[task.id]) if task.id in refused else "")
        for task in tasks
    ]
    gone = [(one, _why(refusal)) for one, refusal in refused.items() if one not in {task.id for task in tasks}]
    form = forms.build(detail.form, detail.ui, document, errors)
    body = page_of("several.html", section="inbox", task=detail.task, rows=rows, gone=gone, form=form, done=done,
                   began=orjson.dumps(dict(_began(detail))).decode())
    return make_response(body, status)


def _why(refusal: WaybillError) -> str:
    """The reason in a sentence, with people's names."""
    name = getattr(refusal, "who", None)
    if isinstance(refusal, (InvalidForm, Problem)):
        return " ".join(f"{one.field.strip('/').replace('/', ', ')}: {one.message}" if one.field else one.message
                        for one in refusal.errors[:3])
    return str(refusal).replace(name, who(name)) if name else str(refusal)
