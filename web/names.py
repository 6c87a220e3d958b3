"""People's names: what is stored and logged is the user name, what people read is the display name."""

from __future__ import annotations

import re
from collections.abc import Mapping

from flask import g

from web import accounts
from web.services import current_services


def everybody() -> Mapping[str, accounts.User]:
    """User name → the account, active or not. One statement in a request."""
    if "everybody" not in g:
        with current_services().database.read() as session:
            g.everybody = {user.name: user for user in accounts.users(session)}
    found: Mapping[str, accounts.User] = g.everybody
    return found


def who(name: str | None) -> str:
    """A user name as people read it: the display name, `Waybill` for the machine, else as it is."""
    if not name:
        return ""
    user = everybody().get(name)
    return user.display_name if user is not None else ("Waybill" if name == "waybill" else name)


def named(said: object, *names: str | None) -> str:
    """A sentence of the engine's as people read it: with display names in place of the user name that it begins with,
    of the one that an error carries (`who`), and of these."""
    text = str(said)
    meant = {text.partition(" ")[0], getattr(said, "who", None), *names}
    for name in sorted((one for one in meant if isinstance(one, str) and one in everybody()), key=len, reverse=True):
        shown = who(name).replace("\\", r"\\")
        text = re.sub(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", shown, text)
    return text
