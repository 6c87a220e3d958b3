"""The second step of signing in: the code, of whoever has a second factor. There is no session before it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, make_response, redirect, render_template, request, session, url_for

from web import accounts
from web.accounts.secret import digest
from web.auth import safe_next, sign_in
from web.permissions import PUBLIC, permission
from web.reauth import check_code
from web.services import current_services
from web.texts import _

_HALF = "half"
_LASTS = timedelta(minutes=5)
"""How long after the password the code may come."""


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/sign-in/code", "second_step", show, methods=["GET"])
    pages.add_url_rule("/sign-in/code", "take_second_step", take, methods=["POST"])


def go_on(name: str, password: str, target: str | None) -> Any:
    """After a password that was right: into the house, or to the page that asks for the code."""
    services = current_services()
    with services.database.read() as database:
        outdated = accounts.is_outdated(database, name)
        asks_code = accounts.has_second_factor(database, name)
    if outdated:
        with services.database.write() as database:
            accounts.keep_up_to_date(database, name, password)
    if not asks_code:
        return _enter(name, target)
    until = services.wall_clock.now() + _LASTS
    session.clear()
    session[_HALF] = [name, until.timestamp(), _mark(name)]
    return redirect(url_for("pages.second_step", next=target), 303)


@permission(PUBLIC)
def show() -> Any:
    """Asks for the code."""
    if _half() is None:
        return redirect(url_for("pages.sign_in", next=safe_next(request.args.get("next"))))
    return _page(safe_next(request.args.get("next")))


@permission(PUBLIC)
def take() -> Any:
    """Signs in when the code is right."""
    name, target = _half(), safe_next(request.form.get("next"))
    if name is None:
        return redirect(url_for("pages.sign_in", next=target), 303)
    code = request.form.get("code", "")
    if not code.strip():
        return _page(target, problem=_("Enter a code"), status=422)
    checked = check_code(current_services(), name, code)
    if checked.how is None:
        return _page(target, problem=checked.errors["code"], status=429 if checked.wait else 422)
    return _enter(name, target)


def _enter(name: str, target: str | None) -> Any:
    sign_in(name)
    return redirect(target or url_for("pages.inbox"), 303)


def _half() -> str | None:
    """Whose password was right a moment ago, in this browser; nobody's when it was changed since."""
    kept = session.get(_HALF)
    if not isinstance(kept, list) or len(kept) != 3:
        return None
    name, until, mark = kept
    if current_services().wall_clock.now().timestamp() > until or _mark(name) != mark:
        return None
    return str(name)


def _mark(name: str) -> str | None:
    """Another one for another password; None for people who may not sign in."""
    with current_services().database.read() as database:
        user = accounts.find_user(database, name)
        return digest(user.password_hash)[:16] if user is not None and user.active else None


def _page(target: str | None, *, problem: str | None = None, status: int = 200) -> Response:
    return make_response(render_template("second_step.html", problem=problem, next=target), status)
