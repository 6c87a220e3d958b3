"""Signing in, who is asking, and the forged-request check. Sessions are signed cookies, bearer tokens for the API."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import Flask, current_app, g, request, session
from flask_login import LoginManager, current_user, login_user, logout_user
from flask_wtf.csrf import CSRFProtect

from engine.views import Actor
from web import accounts
from web.permissions import SIGNED, allowed
from web.services import current_services

_csrf = CSRFProtect()
_SESSION_ID = "id"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


@dataclass(frozen=True, slots=True)
class Person:
    """Who is asking."""

    name: str
    display_name: str
    epoch: int
    actor: Actor

    is_authenticated = True
    is_active = True
    is_anonymous = False

    def get_id(self) -> str:
        """What the session remembers: the name, and the epoch that ends it."""
        return f"{self.epoch}:{self.name}"

    def may(self, permission: str) -> bool:
        return allowed(self.actor.teams, permission)

    @property
    def team_names(self) -> list[str]:
        return [name for team, name in accounts.TEAMS.items() if team in self.actor.teams]


def person(user: accounts.User) -> Person:
    """A stored account as the one who is asking."""
    return Person(user.name, user.display_name, user.session_epoch, accounts.actor(user))


def current_person() -> Person | None:
    """Who is asking: by the bearer token when one is given (and then by nothing else), else by the session."""
    if "person" not in g:
        token = _bearer()
        g.person = _by_token(token) if token is not None else _by_session()
    found: Person | None = g.person
    return found


def sign_in(who: Person) -> None:
    """Starts a fresh session: nothing of the one before survives."""
    session.clear()
    session[_SESSION_ID] = secrets.token_urlsafe(16)
    session.permanent = True
    login_user(who)
    g.person = who


def sign_out() -> None:
    """Ends this session, also for whoever has a copy of its cookie; other sessions of the person go on."""
    session_id = session.get(_SESSION_ID)
    if session_id and current_user.is_authenticated:
        services = current_services()
        now = services.wall_clock.now()  # the cookie's own time stamp is the machine's as well
        with services.database.write() as database:
            accounts.end_session(database, session_id, now, now + current_app.permanent_session_lifetime)
    logout_user()
    session.clear()
    g.person = None


def safe_next(target: str | None) -> str | None:
    """`target` when it is a path on this server, else None: nobody is sent elsewhere after signing in."""
    if not target or not target.startswith("/") or target.startswith("//") or "\\" in target:
        return None
    if any(ord(c) < 32 for c in target):
        return None
    parts = urlsplit(target)
    return None if parts.scheme or parts.netloc else target


def init_auth(app: Flask) -> None:
    """Joins sessions, the sign-in and the forged-request check to the app."""
    login = LoginManager(app, add_context_processor=False)  # pages name the person themselves
    login.session_protection = None  # addresses of phones change; the epoch and the cookie's flags guard the session

    @login.user_loader
    def load(identity: str) -> Person | None:
        epoch, _, name = identity.partition(":")
        with current_services().database.read() as database:
            user = accounts.user_of_session(database, name, session.get(_SESSION_ID, ""))
            return person(user) if user and str(user.session_epoch) == epoch else None

    app.config["WTF_CSRF_CHECK_DEFAULT"] = False
    app.config["WTF_CSRF_TIME_LIMIT"] = None  # as long as the session: a form that lay open over lunch is still good
    _csrf.init_app(app)
    app.before_request(_check_forgery)


def _check_forgery() -> None:
    """Every changing request of a browser carries the session's token. A bearer token cannot be sent by a foreign
    page, and a webhook is signed, so these need none; calls of the API check theirs themselves."""
    if request.method in _SAFE or _bearer() is not None or request.endpoint is None or request.blueprint == "api":
        return
    view = current_app.view_functions.get(request.endpoint)
    if getattr(view, "__permission__", None) == SIGNED or request.blueprint == "api":
        return  # the API answers 401 before it asks for the token, and answers in JSON: see web.api.auth
    _csrf.protect()


def _bearer() -> str | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _by_token(token: str) -> Person | None:
    with current_services().database.read() as database:
        user = accounts.find_by_token(database, token)
        return person(user) if user else None


def _by_session() -> Person | None:
    return current_user._get_current_object() if current_user.is_authenticated else None
