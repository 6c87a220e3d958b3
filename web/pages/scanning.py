"""Scanning: a code opens the task it means; at a form that counts, a wrong piece is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, flash, jsonify, make_response, redirect, request, url_for

from engine.errors import Conflict, NotAllowed
from engine.views import TaskDetail, TaskView
from handlers.scanned import LONGEST_CODE, Scanned, read_code
from web import counting, scanning
from web.names import named
from web.pages.shell import me, page_of, word
from web.permissions import permission
from web.services import current_services
from web.texts import N_, _, english


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/scan", "scan", scan)
    pages.add_url_rule("/tasks/<task_id>/scan", "scan_at_task", at_task, methods=["POST"])


@permission("orders.read")
def scan() -> Any:
    """Opens what a code stands for, or says what was read and what it could not be."""
    raw = request.args.get("code", "")
    code = _code(raw)
    if code is None:
        return _page(None, 200 if not raw.strip() else 404, read=raw.strip())
    services = current_services()
    with services.database.read() as session:
        found = scanning.find(session, code)
    if found is None:
        return _page(code, 404, why=scanning.why_not(code))
    if found.kind == "product":
        return _of_product(code, found)
    return _of_order(found.order)


def _of_order(number: str) -> Any:
    """The order's task for the teams of the one who scans; else the order, with a word why."""
    teams = me().actor.teams
    tasks = [task for task in current_services().engine.order_tasks(number) if task.state == "open"]
    mine = sorted((t for t in tasks if t.team in teams), key=lambda t: (t.due_at is None, t.due_at, t.id))
    if mine:
        return redirect(url_for("pages.task", task_id=mine[0].id))
    why = _waits_for(number, tasks)
    flash(_("No task of %(order)s waits for your teams. %(why)s", order=number, why=why), "bad")
    return redirect(url_for("pages.order", number=number))


def _waits_for(number: str, tasks: list[TaskView]) -> str:
    if tasks:
        task = tasks[0]
        return _("“%(task)s” waits for %(team)s.", task=task.name, team=word(task.team))
    if current_services().engine.instance(number).status in ("closed", "cancelled"):
        return _("It has ended.")
    return _("It goes on by itself and waits for nobody here.")


def _of_product(code: Scanned, found: scanning.Found) -> Any:
    """The one task that it is for, or the list of them."""
    with current_services().database.read() as session:
        tasks = scanning.tasks_with(session, found.sku, me().actor.teams)
    if len(tasks) == 1:
        return redirect(url_for("pages.task", task_id=tasks[0].id))
    return _page(code, 200, product=found, tasks=tasks)


def _page(code: Scanned | None, status: int, **values: Any) -> Response:
    return make_response(page_of("scan.html", section="inbox", code=code, **values), status)


def _code(raw: str) -> Scanned | None:
    """The code in a request; None when there is none, or one that is longer than any of ours."""
    if not raw.strip() or len(raw) > LONGEST_CODE:
        return None
    code = read_code(raw)
    return code if code.text else None


@permission("tasks.work")
def at_task(task_id: str) -> Any:
    """What the counter of a form asks of a code that it does not count: `{"go": …}`, or `{"wrong": …}` for a piece that
    does not belong there, which the order's history keeps."""
    engine, actor = current_services().engine, me().actor
    code = _code(request.form.get("code", ""))
    detail = engine.task(task_id, actor)
    if code is None:
        return jsonify(wrong=_("Nothing that could be a code was read. Scan it again."))
    with current_services().database.read() as session:
        found = scanning.find(session, code)
    if found is not None and found.order == detail.task.order:
        return jsonify(says=_("This is %(order)s, which you are working on.", order=found.order))
    if found is not None and found.kind != "product":
        return jsonify(go=url_for("pages.scan", code=code.text))
    if code.misread:
        return jsonify(wrong=scanning.why_not(code))
    try:
        engine.note_wrong_scan(task_id, actor, code.text, _not_counted(detail, code, found, english))
    except (Conflict, NotAllowed) as refused:
        wrong = f"{_not_counted(detail, code, found, _)} {named(refused)}"
        return make_response(jsonify(wrong=wrong), 409 if isinstance(refused, Conflict) else 403)
    return jsonify(wrong=_not_counted(detail, code, found, _))


def _not_counted(detail: TaskDetail, code: Scanned, found: scanning.Found | None, say: Callable[..., str]) -> str:
    """Why a piece is not counted: in English for the history, in the reader's language for who scans."""
    wanted = next((one for one in counting.wanted_of(detail) if found and one.code == found.sku), None)
    order = detail.task.order
    if wanted is not None:
        text = N_("All %(count)s of %(product)s are counted. Put this one back.")
        return say(text, count=f"{wanted.count:,}", product=wanted.label)
    if found is not None:
        text = N_("%(product)s (%(sku)s) is not in %(order)s. Put it back.")
        return say(text, product=found.name, sku=found.sku, order=order)
    text = N_("“%(code)s” is nothing that is counted in %(order)s. %(why)s")
    return say(text, code=code.text, order=order, why=scanning.why_not(code, say))
