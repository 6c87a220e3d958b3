"""People and their API tokens: who there is, which teams they are of, and whether a password or a token is theirs."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection, Iterable
from datetime import datetime

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError
from sqlalchemy import JSON, ForeignKey, String, delete, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from engine.views import Actor
from handlers.contract import UtcTime, WaybillError

TEAMS = {
    "sales": "Sales",
    "warehouse": "Warehouse",
    "finance": "Finance",
    "shipping": "Shipping",
    "stock-approvers": "Stock approvers",
    "payment-approvers": "Payment approvers",
    "analysts": "Analysts",
    "owner": "Owner",
    "admin": "Administrator",
}
"""Every team with the name that people read."""

SEES_ALL = frozenset({"owner", "admin"})
"""Teams that see every task and do none."""

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
# 19 MiB and two passes: the smallest setting that is still recommended, so that a burst of sign-ins fits the memory
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_nobody = _hasher.hash(secrets.token_urlsafe(16))


class Base(DeclarativeBase):
    type_annotation_map = {datetime: UtcTime(), list[str]: JSON()}  # noqa: RUF012 - SQLAlchemy's way


class User(Base):
    """One person who may sign in."""

    __tablename__ = "user_account"
    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    display_name: Mapped[str] = mapped_column(String(120))
    password_hash: Mapped[str] = mapped_column(String(200))
    teams: Mapped[list[str]]
    active: Mapped[bool] = mapped_column(default=True)
    session_epoch: Mapped[int] = mapped_column(default=1)
    """Counts up when the password or the teams change: older sessions end."""


class ApiToken(Base):
    """A bearer token. Only its SHA-256 is kept."""

    __tablename__ = "api_token"
    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user: Mapped[str] = mapped_column(ForeignKey("user_account.name"), index=True)
    created_at: Mapped[datetime]


class EndedSession(Base):
    """A session that was signed out of: its cookie is refused until it would have run out by itself."""

    __tablename__ = "ended_session"
    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256 of the session's random id."""
    until: Mapped[datetime]


class AccountError(WaybillError):
    """An account that cannot be made as asked."""


def add_user(session: Session, name: str, display_name: str, password: str, teams: Collection[str]) -> User:
    """Makes a person. AccountError: the name is taken or malformed, a team does not exist, the password is empty."""
    if not _NAME.fullmatch(name):
        raise AccountError(f"{name!r} is not a user name: use small letters, digits, dots and hyphens.")
    if not password:
        raise AccountError("The password is empty. Give one.")
    unknown = sorted(set(teams) - set(TEAMS))
    if unknown:
        raise AccountError(f"There is no team {', '.join(unknown)}. The teams are {', '.join(TEAMS)}.")
    if session.get(User, name) is not None:
        raise AccountError(f"There is already a user {name}.")
    user = User(name=name, display_name=display_name, password_hash=_hasher.hash(password), teams=sorted(set(teams)))
    session.add(user)
    session.flush()
    return user


def users(session: Session) -> list[User]:
    """Everybody, by display name."""
    return list(session.scalars(select(User).order_by(User.display_name)))


def find_user(session: Session, name: str) -> User | None:
    """The person of that name, active or not."""
    return session.get(User, name)


def user_of_session(session: Session, name: str, session_id: str) -> User | None:
    """The active person a session belongs to, or None when it was signed out of. One statement."""
    ended = select(EndedSession.hash).where(EndedSession.hash == _digest(session_id)).exists()
    return session.scalar(select(User).where(User.name == name, User.active.is_(True), ~ended))


def end_session(session: Session, session_id: str, now: datetime, until: datetime) -> None:
    """Refuses a session from now on. `until`: when its cookie runs out; those that have are forgotten."""
    session.execute(delete(EndedSession).where(EndedSession.until <= now))
    session.merge(EndedSession(hash=_digest(session_id), until=until))


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


def create_token(session: Session, name: str, now: datetime) -> str:
    """Makes a bearer token for a person and returns it; it cannot be shown again."""
    if session.get(User, name) is None:
        raise AccountError(f"There is no user {name}. See them with: waybill users list")
    token = "wb_" + secrets.token_urlsafe(32)
    session.add(ApiToken(hash=_digest(token), user=name, created_at=now))
    session.flush()
    return token


def find_by_token(session: Session, token: str) -> User | None:
    """The active person a bearer token belongs to, or None."""
    found = session.scalar(
        select(User).join(ApiToken, ApiToken.user == User.name).where(ApiToken.hash == _digest(token))
    )
    return found if found and found.active else None


def actor(user: User) -> Actor:
    """The person as the engine knows them."""
    teams = frozenset(user.teams)
    return Actor(user.name, teams, sees_all=bool(teams & SEES_ALL))


def demo_users(session: Session) -> int:
    """Makes the demo's people that are missing; returns how many. Only for demo mode."""
    there = set(session.scalars(select(User.name)))
    missing = [person for person in DEMO_PEOPLE if person[0] not in there]
    if missing:
        shared = _hasher.hash(DEMO_PASSWORD)  # one hash for all: the password is public, and the start stays fast
        session.add_all(
            User(name=name, display_name=display, password_hash=shared, teams=[team]) for name, display, team in missing
        )
        session.flush()
    return len(missing)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
