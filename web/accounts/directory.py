"""Who works here and can be written to, for the mails about work."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from handlers.staff import Colleague
from web.accounts.away import is_away
from web.accounts.tables import User


class AccountsDirectory:
    """The accounts as a directory of colleagues (`handlers.staff.StaffDirectory`)."""

    def reachable(
        self, session: Session, teams: Collection[str], people: Collection[str], now: datetime
    ) -> Sequence[Colleague]:
        """See the port."""
        statement = select(User).where(User.active.is_(True), User.email.is_not(None)).order_by(User.name)
        asked = set(teams)
        meant = [user for user in session.scalars(statement) if user.name in people or asked & set(user.teams)]
        there = [user for user in meant if not is_away(user, now)]
        return [Colleague(user.name, user.email) for user in there or meant if user.email]
