"""Signing in and out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from flask import Blueprint, Flask, Response, make_response, redirect, render_template, request, url_for
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

from web import accounts
from web.auth import current_person, safe_next, sign_out
from web.pages import second_step
from web.permissions import PUBLIC, permission
from web.services import current_services
from web.texts import _

TRIES = "10 per 15 minutes"
"""Wrong passwords per name and address."""
ADDRESS_TRIES = "60 per 15 minutes"
"""Wrong passwords per address, whatever the name."""

View = TypeVar("View", bound=Callable[..., Any])
_limiter = Limiter(key_func=get_remote_address, storage_uri="memory://", strategy="fixed-window")


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/sign-in", "sign_in", show, methods=["GET"])
    pages.add_url_rule("/sign-in", "enter", enter, methods=["POST"])
    pages.add_url_rule("/sign-out", "leave", leave, methods=["POST"])


def init_limits(app: Flask) -> None:
    """Counts wrong passwords in this process."""
    _limiter.init_app(app)


def limited(limit: str, key: Callable[[], str] = get_remote_address) -> Callable[[View], View]:
    """Lets an address, or what `key` says, ask a route only so often, in this process."""
    return cast("Callable[[View], View]", _limiter.limit(limit, key_func=key))


@permission(PUBLIC)
def show() -> Any:
    """The sign-in page."""
    if current_person() is not None:
        return redirect(safe_next(request.args.get("next")) or url_for("pages.inbox"))
    target = safe_next(request.args.get("next"))
    advice = _("Sign in to go on to the page you asked for.") if target else None
    return _page(advice=advice, name=request.args.get("name", "")[:80], target=target)


def _name_and_address() -> str:
    return f"{get_remote_address()} {request.form.get('name', '').strip().lower()[:80]}"


def _was_wrong(response: Response) -> bool:
    return response.status_code == 422


@permission(PUBLIC)
@_limiter.limit(TRIES, key_func=_name_and_address, deduct_when=_was_wrong)
@_limiter.limit(ADDRESS_TRIES, deduct_when=_was_wrong)
def enter() -> Any:
    """Signs in; a wrong name and a wrong password look the same."""
    name = request.form.get("name", "").strip().lower()
    target = safe_next(request.form.get("next"))
    with current_services().database.read() as session:
        known = accounts.verify_password(session, name, request.form.get("password", "")[:200]) is not None
    if not known:
        return _page(
            problem=_("Name and password do not match"), advice=_("Try again."), name=name, target=target, status=422
        )
    return second_step.go_on(name, request.form.get("password", "")[:200], target)


@permission(PUBLIC)
def leave() -> Any:
    """Signs out."""
    sign_out()
    return redirect(url_for("pages.sign_in"), 303)


def _page(
    *,
    problem: str | None = None,
    advice: str | None = None,
    name: str = "",
    target: str | None = None,
    status: int = 200,
) -> Response:
    demo = current_services().settings.demo
    body = render_template(
        "sign_in.html",
        problem=problem,
        advice=advice,
        name=name,
        next=target,
        demo_names=[entry[0] for entry in accounts.DEMO_PEOPLE] if demo else [],
        demo_password=accounts.DEMO_PASSWORD,
    )
    return make_response(body, status)


def too_many() -> Response:
    """The page after too many wrong passwords."""
    return _page(problem=_("Too many tries"), advice=_("Wait 15 minutes, then try again."), status=429)
