"""Security notices: somebody is told by mail that how they sign in was changed, by whom and what to do.

It goes to the address that the account had before the change, so that its owner learns what a thief has done.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from engine import SYSTEM, Actor
from web.accounts.tables import User

What = Literal["address", "password", "factor"]


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


def notice_of(user: User, what: What, by: Actor, at: datetime, *, to: str | None = None) -> Notice | None:
    """The notice of a change that `by` has made; `to` is an address that the person had before. None: there is no
    address to write to."""
    address = to or user.email
    if not address:
        return None
    return Notice(user.name, user.display_name, address, what, "" if by.name == SYSTEM.name else by.printed_name, at)
