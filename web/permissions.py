"""Who may do what: the roles, one table of what each may do, and the decorator with which every route names its
permission. Teams have roles (`web.accounts.teams`); a person may what the roles of their teams may."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import wraps
from typing import Any, TypeVar

from flask import Flask, abort

from web.texts import N_

F = TypeVar("F", bound=Callable[..., Any])

PUBLIC = "public"
"""For routes that need nobody signed in; a tracking page proves itself by its address."""
SIGNED = "signed"
"""For webhooks: the route checks a signature over the body itself, so it needs no session and no form token."""

ROLES = {
    "staff": N_("Staff"),
    "operator": N_("Operator"),
    "order_desk": N_("Order desk"),
    "cashier": N_("Cashier"),
    "approver": N_("Approver"),
    "analyst": N_("Analyst"),
    "owner": N_("Owner"),
    "administrator": N_("Administrator"),
}
"""Every role with the name that people read. `staff` is what each team has; a team may have several others."""

_STAFF = frozenset(ROLES)
_HOUSE = frozenset({"owner", "administrator"})
SEES_ALL = _HOUSE
"""Roles whose people see every task and do none."""

PERMISSIONS: dict[str, frozenset[str]] = {
    "signed-in": _STAFF,
    "account": _STAFF,
    "orders.read": _STAFF,
    "orders.create": _HOUSE | {"order_desk"},
    "orders.note": _STAFF,
    "questions.read": _STAFF,
    "questions.write": _STAFF,  # whoever may read an order may ask; the engine lets only the asked team answer
    "scan": _HOUSE | {"operator"},  # the box on every page; what a code opens is asked of the other permissions
    "orders.cancel": _HOUSE | {"order_desk", "cashier"},
    "tasks.read": _STAFF,
    "tasks.work": _STAFF,  # the engine decides by team; owner and admin are told that they do none
    "alarms.read": _HOUSE | {"approver"},  # of their gates; they acknowledge them too
    "delegations": _STAFF,  # the engine knows who has what to lend
    "instances.start": _STAFF,  # of processes beside the shop's; an order needs orders.create as well
    "jobs.read": _STAFF,
    "jobs.retry": _HOUSE | {"operator", "analyst"},
    "messages.read": _STAFF,  # whose money or parcel it is about decides who must act
    "messages.set_aside": _HOUSE,
    "stock.read": _STAFF,
    "processes.read": _STAFF,
    "processes.write": frozenset({"analyst", "administrator"}),
    "people.read": _HOUSE,
    "people.write": frozenset({"administrator"}),
    "journal.read": _HOUSE,
    "access.review": _HOUSE,
}
"""Permission → the roles that have it."""

WORDS = {
    "signed-in": N_("sign in and use the inbox"),
    "account": N_("change their own password, second factor, sessions and tokens"),
    "orders.read": N_("read orders"),
    "orders.create": N_("take down new orders"),
    "orders.note": N_("leave notes on orders"),
    "questions.read": N_("read questions between teams"),
    "questions.write": N_("ask and answer questions about orders"),
    "scan": N_("open work with a scanner"),
    "orders.cancel": N_("cancel orders"),
    "tasks.read": N_("see the tasks of their teams"),
    "tasks.work": N_("do the tasks of their teams"),
    "alarms.read": N_("see alarms about their gates and acknowledge them"),
    "delegations": N_("lend their right to sign, and take what was lent to them"),
    "instances.start": N_("start other processes"),
    "jobs.read": N_("see incidents"),
    "jobs.retry": N_("retry and resolve incidents"),
    "messages.read": N_("read messages from outside"),
    "messages.set_aside": N_("set messages aside"),
    "stock.read": N_("see the stock"),
    "processes.read": N_("see the processes and their versions"),
    "processes.write": N_("change the process in the modeler, deploy and consent"),
    "people.read": N_("see who works here, their teams and rights"),
    "people.write": N_("add people and teams and change their rights"),
    "journal.read": N_("read the journal of changes of rights"),
    "access.review": N_("review who could sign approvals, and who did"),
}
"""What each permission lets a person do, for pages and documentation."""


SCOPES: dict[str, frozenset[str]] = {
    "read": frozenset(
        {"orders.read", "tasks.read", "jobs.read", "messages.read", "stock.read", "processes.read", "signed-in"}
    ),
    "orders": frozenset({"orders.create", "orders.note", "orders.cancel"}),
    "tasks": frozenset({"tasks.work"}),
    "processes": frozenset({"processes.write", "instances.start"}),
    "incidents": frozenset({"jobs.retry", "messages.set_aside"}),
}
"""Scope of a token → the permissions that it may be used for. A permission of no scope needs `all`."""
ALL = "all"
_NO_TOKEN = frozenset({"account", "people.write"})
"""Permissions that no token has: whoever finds one must not make more of it."""


def out_of_scope(scopes: Collection[str] | None, name: str) -> str | None:
    """Why a token of these scopes may not be used for a permission, for the person who uses it; None when it may.
    A session has no scopes (None) and is for everything."""
    if scopes is None or name in (PUBLIC, SIGNED):
        return None
    if name in _NO_TOKEN:
        return "No token may be used for this: sign in with the browser."
    if ALL in scopes or any(name in SCOPES[one] for one in scopes if one in SCOPES):
        return None
    needed = next((scope for scope, permissions in SCOPES.items() if name in permissions), ALL)
    return f"This needs a token of the scope {needed}; yours has {', '.join(scopes) or 'none'}."


def allowed(roles: Collection[str], name: str) -> bool:
    """Whether somebody with these roles has the permission."""
    return name in (PUBLIC, SIGNED) or not PERMISSIONS[name].isdisjoint(roles)


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
            if not person.may(name) or out_of_scope(person.scopes, name):
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
