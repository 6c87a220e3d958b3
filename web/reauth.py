"""Asking a person who is signed in for their password once more, and for a code where they have a second factor.

A signature, and whatever changes the account, is checked here and nowhere else, for pages and API alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from sqlalchemy.orm import Session

from web import accounts
from web.services import Services
from web.texts import N_, _

How = Literal["password", "password and code"]
LONGEST = 200
"""Characters of a password or a code that are looked at."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of asking again."""

    how: How | None
    """How the person proved who they are; None when they did not."""
    errors: Mapping[str, str] = field(default_factory=dict)
    """Field (`password` or `code`) → what is wrong with it, for the person."""
    record: str = ""
    """The same for the history, which reads the same for everybody."""
    wait: int = 0
    """Seconds until there may be another try; 0 when there may be one now."""


def check_again(services: Services, name: str, password: str, code: str = "") -> Checked:
    """Whether it is the person's own password and, where they have a second factor, a code of their app or a recovery
    code. A code that was right is used up. Wrong ones are counted per person, for all pages and calls together."""
    now = services.wall_clock.now()
    if wait := services.signing.wait_seconds(name, now):
        return Checked(None, {"password": _too_many(wait)}, wait=wait)
    with services.database.read() as session:
        known = accounts.verify_password(session, name, password[:LONGEST]) is not None
        asks_code = known and accounts.has_second_factor(session, name)
    if not known:
        if password:
            services.signing.failed(name, now)
        said = N_("This is not your password.") if password else N_("Enter your password: it is your signature.")
        return Checked(None, {"password": _(said)}, said)
    if asks_code:
        if not code.strip():
            said = N_("Enter the code of your authenticator app, or a recovery code.")
            return Checked(None, {"code": _(said)}, said)
        return check_code(services, name, code)
    services.signing.succeeded(name)
    return Checked("password")


def check_code(services: Services, name: str, code: str) -> Checked:
    """The same for the code alone, of a person whose password was right: the second step of signing in."""
    now = services.wall_clock.now()
    if wait := services.signing.wait_seconds(name, now):
        return Checked(None, {"code": _too_many(wait)}, wait=wait)
    with services.engine.transaction() as session:
        try:
            good = take_any_code(services, session, name, code[:LONGEST], now)
            said = N_("This is not a code of now, or it was used before. Wait for the next one.")
        except accounts.UnreadableSecretError as error:
            good, said = False, str(error)
    if not good:
        services.signing.failed(name, now)
        return Checked(None, {"code": _(said)}, said)
    services.signing.succeeded(name)
    return Checked("password and code")


def take_any_code(services: Services, session: Session, name: str, code: str, now: datetime) -> bool:
    """Uses up a recovery code or a code of the app; False when it is neither."""
    if accounts.take_recovery_code(session, name, code, now):
        left = accounts.recovery_codes_left(session, name)
        services.engine.note_in_journal(session, name, "recovery_code_used", name, after={"left": left})
        return True
    return accounts.take_code(session, name, code, services.settings.secret_key, now)


def _too_many(wait: int) -> str:
    return _("Too many wrong tries. Wait %(minutes)s min, then try again.", minutes=max(1, -(-wait // 60)))
