"""Who may do what: one table, and the decorator with which every route names its permission."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from flask import Flask, abort

from web.accounts import TEAMS

F = TypeVar("F", bound=Callable[..., Any])

PUBLIC = "public"
"""For routes that need nobody signed in; a tracking page proves itself by its address."""
SIGNED = "signed"
"""For webhooks: the route checks a signature over the body itself, so it needs no session and no form token."""

_STAFF = frozenset(TEAMS)
_OPERATORS = frozenset({"sales", "warehouse", "finance", "shipping"})
_HOUSE = frozenset({"owner", "admin"})

PERMISSIONS: dict[str, frozenset[str]] = {
    "signed-in": _STAFF,
    "orders.read": _STAFF,
    "orders.create": frozenset({"sales"}) | _HOUSE,
    "orders.note": _STAFF,
    "orders.cancel": frozenset({"sales", "finance"}) | _HOUSE,
    "tasks.read": _STAFF,
    "tasks.work": _STAFF,  # the engine decides by team; owner and admin are told that they do none
    "instances.start": _STAFF,  # of processes beside the shop's; an order needs orders.create as well
    "jobs.read": _STAFF,
    "jobs.retry": _OPERATORS | _HOUSE | {"analysts"},
    "messages.read": _STAFF,  # whose money or parcel it is about decides who must act
    "messages.set_aside": _HOUSE,
    "stock.read": _STAFF,
    "processes.read": _STAFF,
    "processes.write": frozenset({"analysts", "admin"}),
    "people.read": _HOUSE,
}
"""Permission → the teams that have it."""


def allowed(teams: frozenset[str] | set[str], name: str) -> bool:
    """Whether somebody of these teams has the permission."""
    return name in (PUBLIC, SIGNED) or bool(PERMISSIONS[name] & teams)


def permission(name: str) -> Callable[[F], F]:
    """Names the permission of a route and holds it: 401 when nobody is signed in, 403 when the person lacks it."""
    if name not in (PUBLIC, SIGNED) and name not in PERMISSIONS:
        raise ValueError(f"{name!r} is not a permission; see web/permissions.py")

    def declare(view: F) -> F:
        if name in (PUBLIC, SIGNED):
            view.__permission__ = name  # type: ignore[attr-defined]
            return view

        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            from web.auth import current_person

            person = current_person()
            if person is None:
                abort(401)
            if not allowed(person.actor.teams, name):
                abort(403)
            return view(*args, **kwargs)

        guarded.__permission__ = name  # type: ignore[attr-defined]
        return guarded  # type: ignore[return-value]

    return declare


def routes_without_permission(app: Flask) -> list[str]:
    """Rules of the url map whose view names no permission; only the static files may."""
    return sorted(
        str(rule)
        for rule in app.url_map.iter_rules()
        if not rule.endpoint.endswith("static") and not hasattr(app.view_functions[rule.endpoint], "__permission__")
    )
