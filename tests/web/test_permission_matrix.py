"""Every route with every method for every role, for nobody and for somebody who was deactivated.

What is expected is computed from the permission that the route names, so a new route is tested without a line here.
Write the table anew with: WAYBILL_WRITE_DOCS=1 python -m pytest tests/web/test_permission_matrix.py
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

import web.api.auth
from tests.web.api_world import World
from tests.web.visitor import Visitor
from web.accounts import User
from web.accounts.tables import Team
from web.accounts.teams import SHIPPED
from web.permissions import PERMISSIONS, PUBLIC, ROLES, SIGNED, WORDS, routes_without_permission

DOCUMENT = Path(__file__).parents[2] / "docs" / "permissions.md"
NOBODY, GONE = "nobody", "gone"


def routes(app: Flask) -> Iterator[tuple[Rule, str, str]]:
    """Every rule with each of its methods and the permission that its view names."""
    for rule in app.url_map.iter_rules():
        if not rule.endpoint.endswith("static"):
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield rule, method, app.view_functions[rule.endpoint].__permission__  # type: ignore[attr-defined]


def address(app: Flask, rule: Rule) -> str:
    """The rule's address with ids of what is not there: who may not, must not learn even that."""
    values = {
        name: 999_999 if type(rule._converters[name]).__name__ == "IntegerConverter" else "nothing"
        for name in rule.arguments if name in rule._converters
    }  # fmt: skip
    built = rule.build({**values, **(rule.defaults or {})}, append_unknown=False)
    assert built is not None, rule
    return str(built[1])


@pytest.fixture
def clients(world: World, monkeypatch: pytest.MonkeyPatch) -> dict[str, FlaskClient]:
    """A browser of somebody with each role alone, signed in; of nobody; and of somebody deactivated after signing in.

    Form tokens are left out: they are asked for before the permission and tested elsewhere.
    """
    world.app.config["WTF_CSRF_METHODS"] = ()
    monkeypatch.setattr(web.api.auth, "_check_csrf", lambda: None)
    with world.database.write() as session:
        like = session.get_one(User, "sales")
        for role in [*ROLES, GONE]:
            session.add(Team(key=f"only-{role}", title=f"Only {role}", roles=[role], active=True, revision=1))
            session.add(User(name=f"only-{role}", display_name=role, password_hash=like.password_hash,
                             teams=["admin" if role == GONE else f"only-{role}"], active=True))
    found = {NOBODY: world.app.test_client()}
    for role in [*ROLES, GONE]:
        found[role] = signed_in(world, role)
    with world.database.write() as session:
        session.get_one(User, f"only-{GONE}").active = False
    return found


def signed_in(world: World, role: str) -> FlaskClient:
    visitor = Visitor(world.app)
    assert visitor.signs_in(f"only-{role}").status == 200
    return visitor.client


def outcome(client: FlaskClient, method: str, path: str) -> str:
    """What the answer means: `sign in`, `refused` or `let in`."""
    answer = client.open(path, method=method)
    if answer.status_code == 401 or (answer.status_code == 302 and "/sign-in" in answer.headers["Location"]):
        return "sign in"
    return "refused" if answer.status_code == 403 else "let in"


def test_every_route_lets_in_whom_its_permission_says(world: World, clients: dict[str, FlaskClient]) -> None:
    """Pages and calls, each with its own permission: nobody more, nobody less."""
    assert routes_without_permission(world.app) == []
    wrong, asked = [], 0
    for rule, method, name in routes(world.app):
        if name in (PUBLIC, SIGNED):
            continue
        path = address(world.app, rule)
        for who, client in list(clients.items()):
            expected = "sign in" if who in (NOBODY, GONE) else "let in" if who in PERMISSIONS[name] else "refused"
            found = outcome(client, method, path)
            if found == "sign in" and expected == "let in":  # a route before this one has ended the session
                clients[who] = signed_in(world, who)
                found = outcome(clients[who], method, path)
            asked += 1
            if found != expected:
                wrong.append(f"{method} {path} ({name}) for {who}: {found}, not {expected}")
    assert wrong == []
    assert asked > 1000


def test_what_is_public_is_known(world: World) -> None:
    """A route that anybody may call without signing in is added on purpose, here."""
    assert sorted({str(rule) for rule, _, name in routes(world.app) if name in (PUBLIC, SIGNED)}) == [
        "/api/v1/messages/<name>", "/api/v1/openapi.json", "/forgot", "/healthz", "/metrics",
        "/problems/<slug>", "/readyz", "/reset/<secret>", "/sign-in", "/sign-in/code", "/sign-out",
        "/track/<token>", "/track/<token>/invoice.pdf", "/welcome/<secret>",
    ]


def as_document(app: Flask) -> str:
    """Roles, teams and routes as tables."""
    roles = [role for role in ROLES if role != "staff"]
    used: dict[str, list[str]] = {}
    for rule, method, name in routes(app):
        used.setdefault(name, []).append(f"`{method} {rule}`")
    lines = [
        "# Who may do what", "",
        "Made from the program by `tests/web/test_permission_matrix.py`, which also calls every route for every role.",
        "A person may what the roles of their teams may. Everybody who works here is staff.", "",
        "## Roles", "", f"| may | permission | {' | '.join(ROLES.values())} |", f"|---|---|{'---|' * len(ROLES)}",
    ]  # fmt: skip
    for name, words in WORDS.items():
        lines.append(f"| {words} | `{name}` | {' | '.join('yes' if r in PERMISSIONS[name] else '' for r in ROLES)} |")
    lines += ["", "## Teams that come with Waybill", "", "| team | key | roles |", "|---|---|---|"]
    for team in SHIPPED.values():
        lines.append(f"| {team.title} | `{team.key}` | {', '.join(ROLES[r] for r in roles if r in team.roles)} |")
    lines += ["", "## Routes", "", "`public` needs nobody signed in; `signed` checks a signature over what is sent."]
    lines += ["", "| permission | routes |", "|---|---|"]
    for name in (PUBLIC, SIGNED, *PERMISSIONS):
        lines.append(f"| `{name}` | {', '.join(sorted(used.get(name, ())))} |")
    return "\n".join(lines) + "\n"


def test_the_table_of_permissions_is_fresh(world: World) -> None:
    """`docs/permissions.md` says what the program does."""
    if os.environ.get("WAYBILL_WRITE_DOCS"):
        DOCUMENT.write_text(as_document(world.app), encoding="utf-8")
    assert DOCUMENT.read_text(encoding="utf-8") == as_document(world.app)
