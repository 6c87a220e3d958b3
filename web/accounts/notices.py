"""Security notices: somebody is told by mail that how they sign in was changed, by whom and what to do.

It goes to the address that the account had before the change, so that its owner learns what a thief has done.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import SYSTEM, Actor
from engine.views import DelegationView
from web.accounts.tables import User

What = Literal["address", "password", "factor", "lent", "signer"]


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice, to be sent when the change is committed (`web.accounts.letters`)."""

    name: str
    """User name."""
    person: str
    to: str
    """An e-mail address."""
    what: What
    """What was changed: the e-mail address, the password, or the second factor was taken away."""
    by: str
    """Who did it, as people read it; empty: the person, by a link from a mail."""
    at: datetime
    about: str = ""
    """For a right that was lent: who signs for whom, and how long. For a signer's account: whose, and what was
    changed."""


def notice_of(user: User, what: What, by: Actor, at: datetime, *, to: str | None = None) -> Notice | None:
    """The notice of a change that `by` has made; `to` is an address that the person had before. None: there is no
    address to write to."""
    address = to or user.email
    if not address:
        return None
    return Notice(user.name, user.display_name, address, what, "" if by.name == SYSTEM.name else by.printed_name, at)


def notices_of_loan(session: Session, made: DelegationView, by: Actor, at: datetime) -> list[Notice]:
    """That a right to sign was lent: to both people, and to the owners when an administrator lent it for another."""
    both = {made.principal, made.delegate} - {by.name}
    users = {user.name: user for user in session.scalars(select(User).where(User.active))}
    names = {name: users[name].display_name for name in (made.principal, made.delegate)}
    about = (f"{names[made.delegate]} signs for {names[made.principal]} as one of {made.team}, until "
             f"{made.ends_at:%Y-%m-%d %H:%M} UTC: {made.reason}")
    owners = {name for name, user in users.items() if "owner" in user.teams} if by.name != made.principal else set()
    return [Notice(name, users[name].display_name, users[name].email or "", "lent", by.printed_name, at, about)
            for name in sorted(both | (owners - {by.name})) if users[name].email]


def notices_of_signer(session: Session, user: User, what: Literal["address", "factor"], by: Actor, at: datetime
) -> list[Notice]:
    """To the owners: that somebody else changed how an approver is signed in, since whoever reads the approver's mails
    can set a password and sign as them."""
    changed = "e-mail address" if what == "address" else "second factor"
    done = "was changed" if what == "address" else "was taken away"
    about = f"The {changed} of {user.display_name}, who signs as one of {', '.join(user.teams)}, {done}"
    return [Notice(owner.name, owner.display_name, owner.email, "signer", by.printed_name, at, about)
            for owner in session.scalars(select(User).where(User.active).order_by(User.name))
            if "owner" in owner.teams and owner.email and owner.name != by.name]
