"""One-time links in mails with which somebody sets a password: invitations, and resets for who has forgotten it.

Of the secret in the link only the hash is kept. A link holds once and for a time, and a newer one ends it.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from web.accounts.secret import digest
from web.accounts.tables import OneTimeLink, User

Kind = Literal["invitation", "reset"]
LASTS = {"invitation": timedelta(days=7), "reset": timedelta(hours=1)}
PAGES = {"invitation": "welcome", "reset": "reset"}
"""Where each kind leads."""


def make_link(session: Session, name: str, kind: Kind, now: datetime) -> str:
    """Makes a link for a person and returns its secret, which is not kept. Ends the person's earlier one."""
    secret = secrets.token_urlsafe(32)
    end_link(session, name)
    session.add(OneTimeLink(user=name, hash=digest(secret), kind=kind, expires_at=now + LASTS[kind]))
    session.flush()
    return secret


def end_link(session: Session, name: str) -> None:
    """Ends the link that a person may have."""
    session.execute(delete(OneTimeLink).where(OneTimeLink.user == name))


def find_link(session: Session, secret: str, kind: Kind, now: datetime) -> User | None:
    """The active person whose link this is, while it holds."""
    return session.scalar(
        select(User).join(OneTimeLink, OneTimeLink.user == User.name).where(
            OneTimeLink.hash == digest(secret), OneTimeLink.kind == kind, OneTimeLink.expires_at > now,
            User.active.is_(True),
        )
    )  # fmt: skip


def use_link(session: Session, secret: str) -> bool:
    """Takes a link, so that it holds no more; False when somebody was faster."""
    taken = delete(OneTimeLink).where(OneTimeLink.hash == digest(secret)).returning(OneTimeLink.user)
    return session.scalars(taken).first() is not None


def person_meant(session: Session, typed: str) -> User | None:
    """The active person with this user name or e-mail address who can be written to."""
    meant = typed.strip().lower()
    statement = select(User).where(
        or_(User.name == meant, User.email == meant), User.active.is_(True), User.email.is_not(None)
    )
    return session.scalars(statement.order_by(User.name).limit(1)).first()
