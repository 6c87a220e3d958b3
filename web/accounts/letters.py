"""The mails about accounts: one-time links, and notices of what was changed.

A link is in the mail alone and in nothing that is kept. A mail that could not be sent is a line of the journal.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import format_datetime
from typing import Any

from engine import Actor, Engine
from handlers.contract import Clock, GiveUp, Refused, TryAgain
from handlers.messages import write_mail
from handlers.papers import day
from handlers.ports import Ports
from web.accounts.administration import Administration
from web.accounts.links import PAGES, Kind
from web.accounts.notices import Notice
from web.accounts.tables import User


@dataclass(frozen=True, slots=True)
class Letters:
    """Writes to people in somebody's name."""

    engine: Engine
    ports: Ports
    by: Actor
    wall: Clock
    """The time of the world outside, as in `Administration`."""

    def send(self, name: str, kind: Kind) -> tuple[str, str]:
        """Makes a link for a person and sends it: the address, and what went wrong, in a sentence; nothing when the
        mail has left. AccountError: the person cannot be written to."""
        with self.engine.transaction() as session:
            secret = Administration(self.engine, session, self.by, self.wall).link(name, kind)
            user = session.get_one(User, name)
            display_name, email = user.display_name, user.email or ""
        failed = self._send(kind, name, display_name, email, secret)
        if failed:
            with self.engine.transaction() as session:
                Administration(self.engine, session, self.by, self.wall).not_sent(name, kind, failed)
        return email, failed

    def tell(self, notices: Sequence[Notice]) -> None:
        """Sends notices of changes that are committed."""
        for notice in notices:
            failed = self._mail("security", notice.to, {
                "person": notice.person, "name": notice.name, "what": notice.what, "by": notice.by,
                "about": notice.about,
                "at": f"{day(notice.at)}, {notice.at:%H:%M} UTC", "page": f"{self.ports.public_url}/account",
            })
            if failed:
                with self.engine.transaction() as session:
                    self.engine.note_in_journal(session, self.by.name, "notice_not_sent", notice.name, reason=failed)

    def _send(self, kind: Kind, name: str, display_name: str, email: str, secret: str) -> str:
        page = f"{self.ports.public_url}/{PAGES[kind]}/{secret}"
        return self._mail(kind, email, {"person": display_name, "name": name, "page": page})

    def _mail(self, kind: str, email: str, context: Mapping[str, Any]) -> str:
        """What went wrong, in a sentence; nothing when the mail has left."""
        company = self.ports.renderer.company
        rendered = self.ports.renderer.mail(f"staff_{kind}", context)
        try:
            self.ports.mail.send(write_mail(
                sender=str(company["mail_from"]), recipients=(email,), subject=rendered.subject, text=rendered.text,
                html=rendered.html, message_id=f"<{kind}.{secrets.token_hex(12)}@{company['mail_domain']}>",
                date=format_datetime(self.wall.now()),
            ))  # fmt: skip
        except (TryAgain, Refused, GiveUp) as error:
            return str(error)
        return ""
