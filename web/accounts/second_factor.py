"""The second factor: codes of an authenticator app (TOTP), and recovery codes for when the app is lost.

Times are the machine's: the phone that makes the codes knows no other clock.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, cast

import pyotp
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import ColumnElement, CursorResult, delete, func, select, update
from sqlalchemy.orm import Session

from web.accounts.people import AccountError
from web.accounts.secret import digest
from web.accounts.tables import RecoveryCode, SecondFactor
from web.texts import N_, _

RECOVERY_CODES = 10
"""How many a person is given."""
_STEP = 30
"""Seconds that a code is shown for."""
_TOLERANCE = 1
"""Codes before and after the present one that are taken too: clocks differ, and typing takes time."""
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Of recovery codes: none that is read as another."""


class UnreadableSecretError(AccountError):
    """The key that a second factor was kept under is not this installation's key."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a person types or scans into their app."""

    key: str
    address: str
    """`otpauth://…`, for the picture."""


def has_second_factor(session: Session, name: str) -> bool:
    """Whether the person is asked for a code. One statement."""
    return session.scalar(select(SecondFactor.user).where(*_confirmed(name))) is not None


def offer_second_factor(session: Session, name: str, secret_key: str, *, anew: bool = False) -> Offer:
    """The key for a person's app; the same until it is confirmed, or asked for anew. AccountError when they have one
    confirmed."""
    row = session.get(SecondFactor, name)
    if row is not None and row.confirmed_at is not None:
        raise AccountError(_("You have a second factor already. Take it away first."))
    try:
        key = _opened(row.secret, secret_key) if row is not None and not anew else ""
    except UnreadableSecretError:
        key = ""  # nobody uses it yet
    if not key:
        key = pyotp.random_base32()
        session.merge(SecondFactor(user=name, secret=_closed(key, secret_key), confirmed_at=None, last_step=0))
        session.flush()
    return Offer(key, pyotp.TOTP(key).provisioning_uri(name=name, issuer_name="Waybill"))


def confirm_second_factor(session: Session, name: str, code: str, secret_key: str, now: datetime) -> list[str] | None:
    """Turns the offered second factor on when the code is right, and returns the recovery codes: they are shown once.
    None when the code is wrong."""
    row = session.get(SecondFactor, name)
    if row is None or row.confirmed_at is not None:
        return None
    step = _step_of(_opened(row.secret, secret_key), code, now)
    if step is None:
        return None
    row.confirmed_at, row.last_step = now, step
    session.execute(delete(RecoveryCode).where(RecoveryCode.user == name))
    made = [_recovery_code() for _ in range(RECOVERY_CODES)]
    session.add_all(RecoveryCode(hash=digest(_bare(one)), user=name, used_at=None) for one in made)
    session.flush()
    return made


def take_code(session: Session, name: str, code: str, secret_key: str, now: datetime) -> bool:
    """Whether it is the app's code now, and was not used before; it is used then. UnreadableSecretError when the key
    has changed."""
    row = session.scalar(select(SecondFactor).where(*_confirmed(name)))
    step = _step_of(_opened(row.secret, secret_key), code, now) if row is not None else None
    if step is None:
        return False
    # two requests with one code: the database lets one of them have it
    taken = session.execute(
        update(SecondFactor).where(SecondFactor.user == name, SecondFactor.last_step < step).values(last_step=step)
    )
    return cast("CursorResult[Any]", taken).rowcount == 1


def take_recovery_code(session: Session, name: str, code: str, now: datetime) -> bool:
    """Whether it is a recovery code of the person that was not used before; it is used then."""
    taken = session.execute(
        update(RecoveryCode)
        .where(RecoveryCode.user == name, RecoveryCode.hash == digest(_bare(code)), RecoveryCode.used_at.is_(None))
        .values(used_at=now)
    )
    return cast("CursorResult[Any]", taken).rowcount == 1


def recovery_codes_left(session: Session, name: str) -> int:
    """How many a person can still use."""
    unused = select(func.count()).where(RecoveryCode.user == name, RecoveryCode.used_at.is_(None))
    return session.scalar(unused) or 0


def remove_second_factor(session: Session, name: str) -> bool:
    """Takes a person's second factor and recovery codes away; whether there was one
    (`Administration.take_second_factor`)."""
    had = has_second_factor(session, name)
    session.execute(delete(RecoveryCode).where(RecoveryCode.user == name))
    session.execute(delete(SecondFactor).where(SecondFactor.user == name))
    return had


def _confirmed(name: str) -> tuple[ColumnElement[bool], ...]:
    return SecondFactor.user == name, SecondFactor.confirmed_at.is_not(None)


def _step_of(key: str, code: str, now: datetime) -> int | None:
    """The half minute that the code belongs to, or None when it is of none near now."""
    typed = "".join(code.split())
    if not (typed.isascii() and typed.isdigit()):
        return None
    app, present = pyotp.TOTP(key), int(now.timestamp()) // _STEP
    for step in range(present - _TOLERANCE, present + _TOLERANCE + 1):
        if hmac.compare_digest(app.at(step * _STEP), typed):
            return step
    return None


def _recovery_code() -> str:
    """Sixteen characters, about 79 bits: too many to be tried, even by whoever has the hashes."""
    letters = "".join(secrets.choice(_LETTERS) for _ in range(16))
    return "-".join(letters[at : at + 4] for at in range(0, 16, 4))


def _bare(code: str) -> str:
    return "".join(c for c in code.lower() if c.isalnum())


def _closed(key: str, secret_key: str) -> str:
    return _box(secret_key).encrypt(key.encode()).decode()


def _opened(secret: str, secret_key: str) -> str:
    try:
        return _box(secret_key).decrypt(secret.encode()).decode()
    except InvalidToken:
        raise UnreadableSecretError(
            N_(
                "The codes of your app cannot be checked, because the secret key of this installation has changed. "
                "Use a recovery code, or ask an administrator to take your second factor away."
            )
        ) from None


@lru_cache(maxsize=4)
def _box(secret_key: str) -> Fernet:
    """Encrypts with a key of its own, made of the installation's secret key."""
    key = HKDF(SHA256(), 32, None, b"waybill second factor").derive(secret_key.encode())
    return Fernet(base64.urlsafe_b64encode(key))
