"""A person's own time zone and locale."""

from __future__ import annotations

from sqlalchemy.orm import Session

from web.accounts.people import AccountError
from web.accounts.tables import User
from web.local import is_locale, zones
from web.texts import N_


def set_local(session: Session, name: str, *, time_zone: str | None, locale: str | None) -> None:
    """Keeps what a person has chosen; None: as the company. AccountError when there is no such zone or locale."""
    if time_zone is not None and time_zone not in zones():
        raise AccountError(N_("Choose a time zone from the list."))
    if locale is not None and not is_locale(locale):
        raise AccountError(N_("Choose a language and region from the list."))
    user = session.get_one(User, name)
    user.time_zone, user.locale = time_zone, locale
