"""The tables of people, their sessions and their API tokens."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, String, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, column_property, mapped_column

from handlers.contract import UtcTime


class Base(DeclarativeBase):
    type_annotation_map = {datetime: UtcTime(), list[str]: JSON()}  # noqa: RUF012 - SQLAlchemy's way


class Team(Base):
    """A team that an administrator has added, or a shipped one that has another title (`web.accounts.teams`)."""

    __tablename__ = "team"
    key: Mapped[str] = mapped_column(String(80), primary_key=True)
    title: Mapped[str] = mapped_column(String(120))
    roles: Mapped[list[str]]
    active: Mapped[bool] = mapped_column(default=True)
    revision: Mapped[int]
    """Counts up with each change. The sum over all teams tells every process that one has changed."""


class User(Base):
    """One person who may sign in."""

    __tablename__ = "user_account"
    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    display_name: Mapped[str] = mapped_column(String(120))
    password_hash: Mapped[str] = mapped_column(String(200))
    teams: Mapped[list[str]]
    active: Mapped[bool] = mapped_column(default=True)
    email: Mapped[str | None] = mapped_column(String(254), unique=True)
    """In small letters."""
    away_from: Mapped[datetime | None]
    away_until: Mapped[datetime | None]
    releases_at: Mapped[datetime | None] = mapped_column(index=True)
    """When the claimed tasks go back to their teams, because an absence begins then; None: they do not, or have."""
    stand_in: Mapped[str | None] = mapped_column(String(80))
    """Who answers for the person meanwhile, a user name; for information."""
    time_zone: Mapped[str | None] = mapped_column(String(64))
    """Like `Europe/Berlin`; None: the company's."""
    locale: Mapped[str | None] = mapped_column(String(20))
    """Like `en_DE`; None: the company's."""
    teams_revision: Mapped[int] = column_property(select(func.coalesce(func.sum(Team.revision), 0)).scalar_subquery())
    """Grows whenever a team changes; read with the account, so that no page asks for it by itself."""


class OneTimeLink(Base):
    """A link in a mail with which somebody sets a password, once. A person has at most one."""

    __tablename__ = "one_time_link"
    user: Mapped[str] = mapped_column(ForeignKey("user_account.name"), primary_key=True)
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    """SHA-256 of the secret in the link."""
    kind: Mapped[str] = mapped_column(String(10))
    """`invitation` or `reset`."""
    expires_at: Mapped[datetime]


class SignIn(Base):
    """One session of a person: begun by signing in, refused once it has ended or lain idle for too long."""

    __tablename__ = "sign_in"
    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256 of the session's random id."""
    user: Mapped[str] = mapped_column(ForeignKey("user_account.name"), index=True)
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime] = mapped_column(index=True)
    """Written every few minutes at most."""
    address: Mapped[str] = mapped_column(String(45))
    browser: Mapped[str] = mapped_column(String(80))
    """As people read it: `Chromium on Linux`."""
    ended_at: Mapped[datetime | None]


class SecondFactor(Base):
    """What a person's authenticator app shares with us."""

    __tablename__ = "second_factor"
    user: Mapped[str] = mapped_column(ForeignKey("user_account.name"), primary_key=True)
    secret: Mapped[str] = mapped_column(String(300))
    """Encrypted with a key that is not in the database."""
    confirmed_at: Mapped[datetime | None]
    """None until the person has typed a first code: nobody is asked for codes before."""
    last_step: Mapped[int] = mapped_column(default=0)
    """The half minute, counted from 1970, whose code was taken last: it and those before are refused."""


class RecoveryCode(Base):
    """One code that stands in for the authenticator app once. Only its SHA-256 is kept."""

    __tablename__ = "recovery_code"
    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user: Mapped[str] = mapped_column(ForeignKey("user_account.name"), index=True)
    used_at: Mapped[datetime | None]


class ApiToken(Base):
    """A bearer token. Only its SHA-256 is kept."""

    __tablename__ = "api_token"
    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user: Mapped[str] = mapped_column(ForeignKey("user_account.name"), index=True)
    label: Mapped[str] = mapped_column(String(80), default="")
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    """Written every few minutes at most."""
    revoked_at: Mapped[datetime | None]

    @property
    def id(self) -> str:
        """What names the token on pages and command lines; the token cannot be made of it."""
        return self.hash[:12]
