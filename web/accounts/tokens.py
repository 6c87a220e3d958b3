"""API tokens: made once, found by what they hash to, each with what it may be used for and until when.

Times are the machine's: a token of the demo must not end because its clock was moved.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from web.accounts.people import AccountError
from web.accounts.secret import digest
from web.accounts.tables import ApiToken, User
from web.texts import N_

DAYS = (7, 30, 90, 180, 365)
"""How long a token may be asked to last, in days; none lasts for ever."""
USUAL_DAYS = 90
MOST_DAYS = max(DAYS)
SCOPES = {
    "read": N_("Read orders, tasks, stock, incidents and processes"),
    "orders": N_("Place, note and cancel orders"),
    "tasks": N_("Do tasks and sign gates, with the password"),
    "processes": N_("Change, deploy and start processes"),
    "incidents": N_("Try failed jobs again and set messages aside"),
    "all": N_("Everything its person may do by the API"),
}
"""What a token may be used for → how pages say it. `web.permissions` says which permission each covers."""


def create_token(
    session: Session, name: str, now: datetime, *, label: str = "", scopes: Collection[str] = ("all",),
    days: int = USUAL_DAYS,
) -> str:
    """Makes a bearer token for a person and returns it; it cannot be shown again. AccountError: there is no such
    person or scope, or it would last too long."""
    user = session.get(User, name)
    if user is None:
        raise AccountError(f"There is no user {name}. See them with: waybill users list")
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise AccountError(f"There is no scope {', '.join(unknown)}. The scopes are {', '.join(SCOPES)}.")
    if not 1 <= days <= MOST_DAYS:
        raise AccountError(f"A token lasts 1 to {MOST_DAYS} days.")
    token = "wb_" + secrets.token_urlsafe(32)
    session.add(
        ApiToken(
            hash=digest(token), user=name, label=label, scopes=[one for one in SCOPES if one in scopes], created_at=now,
            expires_at=now + timedelta(days=days), last_used_at=None, revoked_at=None,
        )
    )
    session.flush()
    return token


def find_by_token(session: Session, token: str, now: datetime) -> tuple[User, ApiToken] | None:
    """A bearer token that can be used, with its active person. One statement."""
    found = session.execute(
        select(User, ApiToken)
        .join(ApiToken, ApiToken.user == User.name)
        .where(
            ApiToken.hash == digest(token), ApiToken.expires_at > now, ApiToken.revoked_at.is_(None),
            User.active.is_(True),
        )
    ).one_or_none()
    return found._tuple() if found is not None else None


def token_used(session: Session, hashed: str, now: datetime) -> None:
    """Notes that a token was used."""
    session.execute(update(ApiToken).where(ApiToken.hash == hashed).values(last_used_at=now))


def tokens_of(session: Session, name: str | None = None) -> list[ApiToken]:
    """The tokens of a person, or of everybody, newest first; also those that have ended."""
    statement = select(ApiToken).order_by(ApiToken.created_at.desc(), ApiToken.hash)
    return list(session.scalars(statement if name is None else statement.where(ApiToken.user == name)))


def revoke_token(session: Session, token_id: str, now: datetime, *, name: str | None = None) -> str | None:
    """Ends the token of that id, of that person when one is named, and returns its label; None when there is none that
    could be used. Whoever calls writes the journal."""
    for token in tokens_of(session, name):
        if token.id == token_id and token.revoked_at is None and token.expires_at > now:
            token.revoked_at = now
            return token.label
    return None
