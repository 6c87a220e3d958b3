"""People: who there is, which teams they are of, and whether a password is theirs."""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Protocol

from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError
from sqlalchemy import select, true
from sqlalchemy.orm import Session

from engine.views import SYSTEM, Actor
from handlers.contract import WaybillError
from web.accounts.passwords import hasher as _hasher
from web.accounts.tables import Team as TeamRow
from web.accounts.tables import User
from web.accounts.teams import Team, roles_of, teams_of
from web.permissions import SEES_ALL
from web.texts import _

DEMO_PASSWORD = "demo"  # noqa: S105 - the demo's public password; demo mode binds to this computer alone
DEMO_PEOPLE = (
    ("sales", "Anna Lindqvist", "sales"),
    ("warehouse", "Mei Tan", "warehouse"),
    ("finance", "Priya Nair", "finance"),
    ("shipping", "Jonas Weber", "shipping"),
    ("stock-approver", "Helena Brandt", "stock-approvers"),
    ("stock-approver-2", "Ravi Menon", "stock-approvers"),
    ("payment-approver", "Grace Okafor", "payment-approvers"),
    ("payment-approver-2", "Omar Haddad", "payment-approvers"),
    ("analyst", "Ines Duarte", "analysts"),
    ("analyst-2", "Karl Novak", "analysts"),
    ("owner", "Dana Levy", "owner"),
    ("admin", "Tomas Ibarra", "admin"),
)
"""User name, display name and team of the people that exist in demo mode."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
_nobody = _hasher.hash(secrets.token_urlsafe(16))


class Note(Protocol):
    """Adds a line to the journal (`engine.journal`)."""

    def __call__(self, session: Session, actor: str, kind: str, subject: str, *, after: Mapping[str, Any]) -> None: ...


class AccountError(WaybillError):
    """Something about accounts that cannot be done as asked. `field` names what was filled in wrongly, if it is one."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


def check_name(session: Session, name: str) -> None:
    """AccountError: the user name is taken or malformed."""
    if not _NAME.fullmatch(name):
        said = _("%(name)s is not a user name: use small letters, digits, dots and hyphens.", name=repr(name))
        raise AccountError(said, "name")
    if session.get(User, name) is not None:
        raise AccountError(_("There is already a user %(name)s.", name=name), "name")


def users(session: Session) -> list[User]:
    """Everybody, by display name."""
    return list(session.scalars(select(User).order_by(User.display_name)))


def find_user(session: Session, name: str) -> User | None:
    """The person of that name, active or not."""
    return session.get(User, name)


def display_names(session: Session, names: Iterable[str | None] | None = None) -> dict[str, str]:
    """User name → the name that people read; of everybody when `names` is not given."""
    statement = select(User.name, User.display_name)
    if names is not None:
        statement = statement.where(User.name.in_({n for n in names if n}))
    return {row.name: row.display_name for row in session.execute(statement)}


def verify_password(session: Session, name: str, password: str) -> User | None:
    """The active person whose password it is, or None. Takes as long for a name that does not exist."""
    user = session.get(User, name)
    try:
        _hasher.verify(user.password_hash if user else _nobody, password)
    except (VerifyMismatchError, VerificationError, InvalidHashError):
        return None
    return user if user and user.active else None


def actor(user: User, teams: Mapping[str, Team]) -> Actor:
    """The person as the engine knows them."""
    roles = roles_of(user.teams, teams)
    return Actor(
        user.name, frozenset(user.teams), sees_all=not SEES_ALL.isdisjoint(roles), display_name=user.display_name,
        is_owner="owner" in roles, is_administrator="administrator" in roles,
    )  # fmt: skip


def active_people(session: Session, names: Collection[str]) -> dict[str, Actor]:
    """The active ones of these people as the engine knows them now, by name. One statement."""
    wanted = select(User, TeamRow).outerjoin(TeamRow, true()).where(User.name.in_(sorted(names)), User.active)
    rows = session.execute(wanted).tuples().all()
    teams = teams_of({team.key: team for _, team in rows if team is not None}.values())
    known = {key: team for key, team in teams.items() if team.active}
    return {user.name: actor(user, known) for user, _ in rows}


def demo_users(session: Session, note: Note) -> int:
    """Makes the demo's people that are missing; returns how many. Only for demo mode."""
    there = set(session.scalars(select(User.name)))
    missing = [person for person in DEMO_PEOPLE if person[0] not in there]
    shared = _hasher.hash(DEMO_PASSWORD) if missing else ""  # one hash for all: it is public, and the start stays fast
    for name, display, team in missing:
        session.add(User(name=name, display_name=display, password_hash=shared, teams=[team], active=True))
        session.flush()
        note(session, SYSTEM.name, "user_added", name,
             after={"display_name": display, "email": None, "teams": [team], "active": True})
    return len(missing)
