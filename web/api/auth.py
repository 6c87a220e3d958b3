"""Who calls: a bearer token, or the signed-in session with its CSRF token for writes."""

from __future__ import annotations

from dataclasses import dataclass

from flask import request
from flask_wtf.csrf import validate_csrf
from wtforms.validators import ValidationError  # type: ignore[import-untyped]

from engine.views import Actor
from web.auth import current_person
from web.permissions import allowed
from web.problems import ApiProblem
from web.services import Services

_READS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who gives a call, and the parts the call works with."""

    actor: Actor
    services: Services

    def may(self, permission: str) -> bool:
        return allowed(self.actor.teams, permission)


def caller_of_request(services: Services, permission: str) -> Caller:
    """The caller. 401: nobody is signed in; 403: without the permission, or without a session's CSRF token."""
    header = request.headers.get("Authorization")
    if header is not None and not header.lower().startswith("bearer "):
        raise ApiProblem("not-signed-in", "The Authorization header must read: Bearer and a token.")
    person = current_person()
    if person is None:
        unknown = "This token is unknown, or no longer valid." if header else None
        raise ApiProblem("not-signed-in", unknown)
    if header is None and request.method not in _READS:
        _check_csrf()
    caller = Caller(person.actor, services)
    if not caller.may(permission):
        raise ApiProblem("not-allowed")
    return caller


def _check_csrf() -> None:
    try:
        validate_csrf(request.headers.get("X-CSRFToken"))
    except ValidationError as error:
        raise ApiProblem("csrf", f"{error} Send it in the header X-CSRFToken.") from None
