"""The teams: their titles, roles and people; and, for administrators, changing them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, abort, flash, make_response, redirect, request, url_for

from web import accounts
from web.accounts import AccountError, all_teams
from web.accounts.administration import Administration
from web.accounts.teams import SHIPPED
from web.pages.shell import me, page_of
from web.permissions import PERMISSIONS, ROLES, WORDS, permission
from web.services import current_services
from web.texts import _


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/people/teams", "teams", teams)
    pages.add_url_rule("/people/teams", "add_team", add_team, methods=["POST"])
    pages.add_url_rule("/people/teams/<key>", "team", team)
    pages.add_url_rule("/people/teams/<key>", "change_team", change_team, methods=["POST"])


@permission("people.read")
def teams() -> Any:
    """Every team, and what each role may do."""
    return _teams({}, {})


def _teams(typed: Mapping[str, Any], errors: Mapping[str, str]) -> Response:
    with current_services().database.read() as session:
        there = all_teams(session)
        people = [user for user in accounts.users(session) if user.active]
    of_all = {key for key, having in PERMISSIONS.items() if "staff" in having}
    body = page_of(
        "teams.html", section="people", teams=there.values(), typed=typed, errors=errors, roles=_roles(),
        people={key: [user.display_name for user in people if key in user.teams] for key in there},
        may={
            role: [_(words) for key, words in WORDS.items() if role in PERMISSIONS[key] and key not in of_all]
            for role in _roles()
        },
    )  # fmt: skip
    return make_response(body, 422 if errors else 200)


def _roles() -> dict[str, str]:
    return {role: _(title) for role, title in ROLES.items() if role != "staff"}


@permission("people.write")
def add_team() -> Any:
    """Makes a team."""
    form = request.form
    try:
        with current_services().engine.transaction() as session:
            Administration(current_services().engine, session, me().actor).add_team(
                form.get("key", "").strip().lower(), form.get("title", "")[:500], form.getlist("roles")
            )
    except AccountError as error:
        typed = {**form.to_dict(), "roles": form.getlist("roles")}
        return _teams(typed, {error.field or "key": str(error)})
    flash(_("The team is there. Put people into it, then diagrams can give it tasks."))
    return redirect(url_for("pages.teams"), 303)


@permission("people.write")
def team(key: str) -> Any:
    """One team, to be changed."""
    return _team(key, None, {})


def _team(key: str, typed: Mapping[str, Any] | None, errors: Mapping[str, str]) -> Response:
    with current_services().database.read() as session:
        found = all_teams(session).get(key)
    if found is None:
        abort(404)
    body = page_of("team.html", section="people", team=found, roles=_roles(), typed=typed, errors=errors)
    return make_response(body, 422 if errors else 200)


@permission("people.write")
def change_team(key: str) -> Any:
    """Changes a team's title and, unless it came with Waybill, its roles and whether it is used."""
    form = request.form
    more: dict[str, Any] = {} if key in SHIPPED else {
        "roles": form.getlist("roles"), "active": "active" in form
    }  # fmt: skip
    try:
        with current_services().engine.transaction() as session:
            Administration(current_services().engine, session, me().actor).change_team(
                key, title=form.get("title", "")[:500], **more
            )
    except AccountError as error:
        return _team(key, {**form.to_dict(), **more}, {error.field or "title": str(error)})
    flash(_("Saved."))
    return redirect(url_for("pages.teams"), 303)
