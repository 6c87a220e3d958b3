"""Out of office: since when and until when somebody is not there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from web.accounts.tables import User


def is_away(user: User, now: datetime) -> bool:
    """Whether the person is away now. Without an end, until they say that they are back."""
    return user.away_from is not None and user.away_from <= now and (user.away_until is None or now < user.away_until)


class Absences:
    """The absences of the accounts, as the engine asks for them (`engine.leaving.Absences`)."""

    def begun(self, session: Session, now: datetime) -> Sequence[str]:
        """See the port."""
        return list(session.scalars(select(User.name).where(User.releases_at <= now).order_by(User.name)))

    def take(self, session: Session, name: str, now: datetime) -> str | None:
        """See the port."""
        user = session.get(User, name, with_for_update=True)
        if user is None or user.releases_at is None or user.releases_at > now:
            return None
        user.releases_at = None
        return f"{user.display_name} is away." if is_away(user, now) else None
