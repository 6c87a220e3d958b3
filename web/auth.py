"""Signing in, who is asking, and the forged-request check. A session is a row, its random id a signed cookie; the API
takes bearer tokens too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import structlog
from flask import Flask, current_app, g, request, session
from flask_wtf.csrf import CSRFProtect
from sqlalchemy.orm import Session

from engine.errors import DatabaseTrouble
from engine.views import Actor
from web import accounts
from web.accounts.sessions import SEEN_EVERY
from web.accounts.teams import roles_of
from web.browsers import browser_name
from web.local import forget
from web.permissions import SIGNED, allowed
from web.services import current_services

log = structlog.get_logger(__name__)
_csrf = CSRFProtect()
_SESSION_ID = "id"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


@dataclass(frozen=True, slots=True)
class Person:
    """Who is asking."""

    name: str
    display_name: str
    actor: Actor
    roles: frozenset[str]
    team_names: tuple[str, ...]
    time_zone: str | None = None
    """The person's own; None: the company's."""
    locale: str | None = None
    session: str = ""
    """What names the session; empty where a token asks."""
    second_factor: bool = False
    """Whether the session's person has one and is asked for codes."""
    token: str = ""
    """What names the token; empty where a browser asks."""
    scopes: tuple[str, ...] | None = None
    """What the token may be used for; None in a session, which is for all."""

    def may(self, permission: str) -> bool:
        return allowed(self.roles, permission)


def _person(user: accounts.User, **known: Any) -> Person:
    """A stored account as the one who is asking."""
    teams = current_services().teams.at(user.teams_revision)
    return Person(
        user.name, user.display_name, accounts.actor(user, teams), roles_of(user.teams, teams),
        tuple(team.title for key, team in teams.items() if key in user.teams), user.time_zone, user.locale, **known,
    )  # fmt: skip


def current_person() -> Person | None:
    """Who is asking: by the bearer token when one is given (and then by nothing else), else by the session. A token is
    for machines: a page that is asked for with one has nobody signed in."""
    if "person" not in g:
        token = _bearer()
        if token is None:
            g.person = _by_session()
        else:
            g.person = _by_token(token) if request.blueprint != "pages" else None
    found: Person | None = g.person
    return found


def sign_in(name: str) -> None:
    """Starts a fresh session of the person: nothing of the one before survives."""
    services = current_services()
    address, browser = request.remote_addr or "", browser_name(request.user_agent.string)
    with services.database.write() as database:
        session_id = accounts.begin_session(
            database, name, services.wall_clock.now(), address=address, browser=browser
        )
    session.clear()
    session[_SESSION_ID] = session_id
    session.permanent = True
    g.pop("person", None)
    forget()


def sign_out() -> None:
    """Ends this session, also for whoever has a copy of its cookie; other sessions of the person go on."""
    who = current_person()
    if who is not None and who.session:
        services = current_services()
        with services.database.write() as database:
            accounts.end_session(database, who.name, who.session, services.wall_clock.now())
    session.clear()
    g.person = None
    forget()


def safe_next(target: str | None) -> str | None:
    """`target` when it is a path on this server, else None: nobody is sent elsewhere after signing in."""
    if not target or not target.startswith("/") or target.startswith("//") or "\\" in target:
        return None
    if any(ord(c) < 32 for c in target):
        return None
    parts = urlsplit(target)
    return None if parts.scheme or parts.netloc else target


def init_auth(app: Flask) -> None:
    """Joins the forged-request check to the app."""
    app.config["WTF_CSRF_CHECK_DEFAULT"] = False
    app.config["WTF_CSRF_TIME_LIMIT"] = None  # as long as the session: a form that lay open over lunch is still good
    _csrf.init_app(app)
    app.before_request(_check_forgery)


def _check_forgery() -> None:
    """Every changing request of a browser carries the session's token. A webhook is signed, so it needs none; calls of
    the API check theirs themselves."""
    if request.method in _SAFE or request.endpoint is None or request.blueprint == "api":
        return  # the API answers 401 before it asks for the token, and answers in JSON: see web.api.auth
    view = current_app.view_functions.get(request.endpoint)
    if getattr(view, "__permission__", None) == SIGNED:
        return
    _csrf.protect()


def _bearer() -> str | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _by_token(secret: str) -> Person | None:
    services, now = current_services(), current_services().wall_clock.now()
    with services.database.read() as database:
        found = accounts.find_by_token(database, secret, now)
        if found is None:
            return None
        user, token = found
        person = _person(user, token=token.hash, scopes=tuple(token.scopes))
        used = token.last_used_at
    if used is None or now - used >= SEEN_EVERY:
        _note(accounts.token_used, person.token, now)
    return person


def _by_session() -> Person | None:
    session_id = session.get(_SESSION_ID)
    if not isinstance(session_id, str):
        return None
    services, now = current_services(), current_services().wall_clock.now()
    with services.database.read() as database:
        found = accounts.find_session(database, session_id, now)
        if found is None:
            return None
        user, entry, second_factor = found
        person = _person(user, session=entry.hash, second_factor=second_factor)
        seen = entry.seen_at
    if now - seen >= SEEN_EVERY:
        _note(accounts.seen, person.session, now)
    return person


def _note(what: Callable[[Session, str, datetime], None], hashed: str, now: datetime) -> None:
    """Writes when it was used. A database that can only be read must not keep people from reading."""
    try:
        with current_services().database.write() as database:
            what(database, hashed, now)
    except DatabaseTrouble as trouble:
        log.warning("last use not written", trouble=trouble.sentence, cause=trouble.cause)
