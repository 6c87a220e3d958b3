"""Sessions: begun by signing in, listed for the person they belong to, ended by hand, by idleness or by age.

Times are the machine's: a session of the demo must not end because its clock was moved.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, delete, exists, select, update
from sqlalchemy.orm import Session

from web.accounts.secret import digest
from web.accounts.tables import SecondFactor, SignIn, User

IDLE = timedelta(hours=12)
"""A session that nothing was asked with for so long has ended: longer than any shift."""
ABSOLUTE = timedelta(days=7)
"""A session ends so long after the sign-in, however much it is used."""
SEEN_EVERY = timedelta(minutes=5)
"""How often at most it is written when a session or a token was used last."""
_KEPT = timedelta(days=30)
"""Ended sessions are forgotten after that."""


def begin_session(session: Session, name: str, now: datetime, *, address: str, browser: str) -> str:
    """Begins a session of a person and returns its random id, of which only the hash is kept. Forgets old ones."""
    session.execute(delete(SignIn).where(SignIn.seen_at < now - _KEPT))
    session_id = secrets.token_urlsafe(24)
    session.add(
        SignIn(
            hash=digest(session_id), user=name, created_at=now, seen_at=now, address=address[:45], browser=browser[:80],
            ended_at=None,
        )
    )
    session.flush()
    return session_id


def find_session(session: Session, session_id: str, now: datetime) -> tuple[User, SignIn, bool] | None:
    """A session that goes on, with its active person, and whether they have a second factor. One statement."""
    second_factor = exists().where(SecondFactor.user == User.name, SecondFactor.confirmed_at.is_not(None))
    found = session.execute(
        select(User, SignIn, second_factor)
        .join(SignIn, SignIn.user == User.name)
        .where(SignIn.hash == digest(session_id), User.active.is_(True), *_live(now))
    ).one_or_none()
    return found._tuple() if found is not None else None


def seen(session: Session, hashed: str, now: datetime) -> None:
    """Notes that a session was used."""
    session.execute(update(SignIn).where(SignIn.hash == hashed, SignIn.ended_at.is_(None)).values(seen_at=now))


def sessions_of(session: Session, name: str, now: datetime) -> list[SignIn]:
    """A person's sessions that go on, last used first."""
    statement = select(SignIn).where(SignIn.user == name, *_live(now)).order_by(SignIn.seen_at.desc(), SignIn.hash)
    return list(session.scalars(statement))


def end_session(session: Session, name: str, hashed: str, now: datetime) -> bool:
    """Ends one session of a person; whether there was one."""
    return _end(session, now, SignIn.user == name, SignIn.hash == hashed) == 1


def end_sessions(session: Session, name: str, now: datetime, *, but: str = "") -> int:
    """Ends every session of a person, but the one of that hash; how many. For a new password, and for people who have
    left."""
    return _end(session, now, SignIn.user == name, SignIn.hash != but)


def _end(session: Session, now: datetime, *which: ColumnElement[bool]) -> int:
    ended = session.execute(update(SignIn).where(*which, SignIn.ended_at.is_(None)).values(ended_at=now))
    return cast("CursorResult[Any]", ended).rowcount


def _live(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return SignIn.ended_at.is_(None), SignIn.seen_at > now - IDLE, SignIn.created_at > now - ABSOLUTE
