"""Who calls: a bearer token, or the signed-in session with its CSRF token for writes."""

from __future__ import annotations

from dataclasses import dataclass

from flask import request
from flask_wtf.csrf import validate_csrf
from wtforms.validators import ValidationError  # type: ignore[import-untyped]

from engine.views import Actor
from web.auth import current_person
from web.permissions import allowed, out_of_scope
from web.problems import ApiProblem
from web.services import Services

_READS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who gives a call, and the parts the call works with."""

    actor: Actor
    services: Services
    roles: frozenset[str]
    scopes: tuple[str, ...] | None = None
    """Of the token that the call came with; None for a session, which is for everything."""

    def require(self, permission: str) -> None:
        """403 when the caller, or the token, may not."""
        if not allowed(self.roles, permission):
            raise ApiProblem("not-allowed")
        if why := out_of_scope(self.scopes, permission):
            raise ApiProblem("out-of-scope", why)


def caller_of_request(services: Services, permission: str) -> Caller:
    """The caller. 401: nobody is signed in; 403: without the permission, outside of the token's scopes, or
    without a session's CSRF token; 429: too many calls."""
    header = request.headers.get("Authorization")
    if header is not None and not header.lower().startswith("bearer "):
        raise ApiProblem("not-signed-in", "The Authorization header must read: Bearer and a token.")
    person = current_person()
    if person is None:
        unknown = "This token is unknown, or no longer valid." if header else None
        raise ApiProblem("not-signed-in", unknown)
    if header is None and request.method not in _READS:
        _check_csrf()
    if wait := services.api_calls.wait_seconds(person.token or person.session, services.wall_clock.now()):
        raise ApiProblem("too-many", f"Too many calls in this minute. Wait {wait} seconds.",
                         headers={"Retry-After": str(wait)})
    caller = Caller(person.actor, services, person.roles, person.scopes)
    caller.require(permission)
    return caller


def _check_csrf() -> None:
    try:
        validate_csrf(request.headers.get("X-CSRFToken"))
    except ValidationError as error:
        raise ApiProblem("csrf", f"{error} Send it in the header X-CSRFToken.") from None
