"""Several tasks of one element, filled in once: what was typed goes to each, and each is completed by itself.

They are ticked in the inbox, or chosen on the page among those that are like an open one. Gates are not done so.
"""

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
from web.names import named
from web.pages.errors import error_page
from web.pages.inbox import list_part, read_filter, read_listing
from web.pages.several_own import Own, divided, is_own, own_fields, own_form, part, whose
from web.pages.shell import me, page_of
from web.pages.tasks import document_of
from web.permissions import permission
from web.services import current_services
from web.texts import _, ngettext

_OWN = frozenset({"task", "shown", "_began"})
"""Inputs of this page that belong to no form."""


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/tasks/several", "pick_several", pick)
    pages.add_url_rule("/tasks/<task_id>/several", "several", show)
    pages.add_url_rule("/tasks/<task_id>/several", "complete_several", submit, methods=["POST"])


@dataclass(frozen=True, slots=True)
class Row:
    """One task of the list."""

    task: TaskView
    customer: queries.Customer | None
    chosen: bool
    held: str | None
    """Who has it, when that is somebody else: it cannot be chosen."""
    why: str
    """Why it was not taken; empty when it was not tried."""


@permission("tasks.work")
def pick() -> Any:
    """The tasks that were ticked in the list, and their form. They are of one kind."""
    ids, back = request.args.getlist("task"), url_for("pages.inbox", **read_filter().address())
    if not ids or len(ids) > MOST_AT_ONCE:
        most = _("Tick at most %(most)s tasks at once.", most=MOST_AT_ONCE)
        text = most if ids else _("Tick the tasks in the list first.")
        return error_page(422, _("These cannot be filled in together"), text, back=back)
    tasks = current_services().engine.tasks(me().actor, ids=ids, limit=MOST_AT_ONCE).items
    if not tasks:
        return error_page(409, _("These tasks are not open any more"), _("Somebody was faster with each."), back=back)
    if len({(task.team, task.process, task.element) for task in tasks}) > 1:
        return error_page(422, _("These cannot be filled in together"), _("Tick tasks of one step only."), back=back)
    detail = current_services().engine.task(tasks[0].id, me().actor)
    if refused := _unfit(detail):
        return refused
    return _page(detail, document_of(detail), {task.id for task in tasks}, {}, tasks=tasks)


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
    typed, own = _typed(detail)
    chosen = _chosen()
    if "_add" in request.form or "_remove" in request.form or request.form.get("_action") == "ask":
        return _page(detail, typed, chosen, {}, own=own)
    if not chosen or len(chosen) > MOST_AT_ONCE:
        most = _("Choose at most %(most)s tasks at once.", most=MOST_AT_ONCE)
        text = most if chosen else _("Choose at least one task.")
        return _page(detail, typed, chosen, {}, [FieldError("", text)], own=own, status=422)
    same = _as_it_was(detail, typed)
    results = {one: _complete(one, typed, same, own.get(one)) for one in sorted(chosen)}
    done = [one for one in results.values() if isinstance(one, TaskView)]
    if len(done) == len(results):
        flash(ngettext("One task is done.", "%(num)s tasks are done.", len(done)))
        return redirect(url_for("pages.inbox"), 303)
    errors = next((list(one.errors) for one in results.values() if isinstance(one, (InvalidForm, Problem))), [])
    left = {one: refusal for one, refusal in results.items() if isinstance(refusal, WaybillError)}
    return _page(detail, typed, set(left), left, errors, own=own, done=done, status=422)


def _typed(detail: TaskDetail) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """What was typed for all, and for each task by itself, with a row more or less where that was asked for."""
    names = own_fields(detail.ui)
    for_all, for_each = part(detail.form, names, own=False), part(detail.form, names, own=True)
    posted = {name: request.form.getlist(name) for name in request.form if name not in _OWN}
    common, of_tasks = divided({name: values for name, values in posted.items() if name not in forms.CONTROLS})
    typed = forms.parse(for_all, common)
    own = {task: forms.parse(for_each, inputs) for task, inputs in of_tasks.items()}
    for control, change in (("_add", forms.add_row), ("_remove", forms.remove_row)):
        task, pointer = whose(request.form.get(control, ""))
        if task in own:
            own[task] = change(for_each, own[task], pointer)
        elif pointer and not task:
            typed = change(for_all, typed, pointer)
    return typed, own


def _unfit(detail: TaskDetail) -> Any:
    """An error page where several cannot be done at once."""
    back = url_for("pages.task", task_id=detail.task.id)
    if detail.approval is not None:  # gates have a page of their own, on which each is signed by itself
        address = url_for("pages.sign_several", task_id=detail.task.id, task=request.args.getlist("task"))
        return redirect(address, 303)
    if detail.task.state != "open":
        back = url_for("pages.inbox")
        return error_page(409, _("This task is not open any more"), _("Begin with another."), back=back)
    if detail.task.team not in me().actor.teams:
        return error_page(403, _("This task is for another team"), _("Its own team does it."), back=back)
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


def _complete(
    task_id: str, typed: Mapping[str, Any], same: set[str], mine: Mapping[str, Any] | None
) -> TaskView | WaybillError:
    """The task when it is done; else why it is not. `mine` is what was typed for it alone, if it was asked."""
    engine, actor = current_services().engine, me().actor
    try:
        own = engine.task(task_id, actor)
        if own.approval is not None:
            return InvalidForm([FieldError("", _("This is an approval; it is signed by itself."))])
        held = document_of(own)
        if mine is None:
            mine = {name: held[name] for name in own_fields(own.ui) if name in held}
        document = {**typed, **{name: held[name] for name in same if name in held}, **mine}
        done = engine.complete(task_id, actor, document, revision=own.task.revision,
                               draft_revision=own.task.draft_revision)
    except WaybillError as refused:
        return refused
    if done.state == "open":
        unforeseen = _("It failed in a way nobody foresaw. What you entered is kept with it.")
        return InvalidForm([FieldError("", unforeseen)])
    return done


def _page(
    detail: TaskDetail, document: Mapping[str, Any], chosen: set[str], refused: Mapping[str, WaybillError],
    errors: Sequence[FieldError] = (), *, own: Mapping[str, Mapping[str, Any]] | None = None,
    done: Sequence[TaskView] = (), tasks: Sequence[TaskView] | None = None, status: int = 200,
) -> Any:
    person = me()
    if tasks is None:
        tasks = _shown(detail)
    listing = read_listing(frozenset(chosen), beside=[task.order for task in tasks])
    customers = listing.customers
    rows = [
        Row(task, customers.get(task.order), task.id in chosen,
            task.assignee if task.assignee not in (None, person.name) else None,
            _why(refused[task.id]) if task.id in refused else "")
        for task in tasks
    ]
    gone = [(one, _why(refusal)) for one, refusal in refused.items() if one not in {task.id for task in tasks}]
    names = own_fields(detail.ui)
    form = forms.build(part(detail.form, names, own=False), detail.ui, document,
                       [error for error in errors if not is_own(error, names)])
    each = [_own(detail, row.task.id, own or {}, refused.get(row.task.id))
            for row in rows if names and row.chosen and not row.held]
    form.mistakes += [mistake for one in each for mistake in one.form.mistakes]
    body = page_of("several.html", section="inbox", task=detail.task, rows=rows, gone=gone, form=form, done=done,
                   own=each, asks=bool(names), steps=detail.steps, listing=listing,
                   list_html=list_part(listing, detail.task.id),
                   began=orjson.dumps(dict(_began(detail))).decode())
    return make_response(body, status)


def _own(
    detail: TaskDetail, task_id: str, own: Mapping[str, Mapping[str, Any]], refusal: WaybillError | None
) -> Own:
    """The fields of one of the chosen tasks: with what was typed, else with what it begins with."""
    if task_id != detail.task.id:
        detail = current_services().engine.task(task_id, me().actor)
    errors = refusal.errors if isinstance(refusal, (InvalidForm, Problem)) else ()
    return own_form(detail, own[task_id] if task_id in own else document_of(detail), errors)


def _shown(detail: TaskDetail) -> Sequence[TaskView]:
    """The tasks that the page lists: those that it had, as far as they are open, at first all that are like the one."""
    engine, shown = current_services().engine, request.form.getlist("shown")[:MOST_AT_ONCE]
    if shown:
        return engine.tasks(me().actor, ids=shown, limit=MOST_AT_ONCE).items
    return engine.tasks(me().actor, like=detail.task, limit=MOST_AT_ONCE).items


def _why(refusal: WaybillError) -> str:
    """The reason in a sentence, with people's names."""
    if isinstance(refusal, (InvalidForm, Problem)):
        return " ".join(f"{one.field.strip('/').replace('/', ', ')}: {one.message}" if one.field else one.message
                        for one in refusal.errors[:3])
    return named(refusal)
