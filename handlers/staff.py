"""Mails to colleagues about work: a task that is late, an alarm, a question. Sent by a job; they decide nothing."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol
from urllib.parse import quote

from sqlalchemy.orm import Session

from handlers import papers
from handlers.contract import Call, External, RetryPolicy, operation
from handlers.mail import refusal_of
from handlers.messages import write_mail

if TYPE_CHECKING:
    from handlers.ports import Ports

Kind = Literal["reminder", "escalated", "alarm", "question"]


@dataclass(frozen=True, slots=True)
class Colleague:
    """Somebody who can be reached by mail."""

    name: str
    """User name."""
    email: str


class StaffDirectory(Protocol):
    """Who works here and can be written to."""

    def reachable(
        self, session: Session, teams: Collection[str], people: Collection[str], now: datetime
    ) -> Sequence[Colleague]:
        """The active people of these teams and of these user names who have an e-mail address, each once, by name.

        People who are away are left out when somebody else is there.
        """
        ...


@dataclass(frozen=True, slots=True)
class StaffLetter:
    """One mail as it goes out, the same on every attempt."""

    kind: str
    people: tuple[str, ...]
    """User names; the history says whom it went to."""
    sender: str
    recipients: tuple[str, ...]
    subject: str
    text: str
    html: str
    message_id: str
    date: str
    order: str


@dataclass(frozen=True, slots=True)
class Told:
    """What became of it."""

    sent: bool
    note: str = ""


@operation("staff.mail")
class TellStaff(External):
    """Mails the people of `teams` and the `people` about a task or an order, with a link to its page.

    `kind` is reminder, escalated, alarm or question: which wording. `title` is the line that names what it is about,
    `text` what else is to be said, or nothing. `order` is the order's number and `task` the id of the task, or none.
    Nobody is told when none of them can be reached by mail; no order waits for such a mail.
    """

    retry = RetryPolicy(attempts=12, first=timedelta(seconds=30), longest=timedelta(hours=1))

    def __init__(self, ports: Ports) -> None:
        self.ports = ports

    def prepare(
        self, call: Call, kind: Kind, teams: Sequence[str], people: Sequence[str], order: str, task: str | None = None,
        title: str = "", text: str = "",
    ) -> StaffLetter | None:
        found = self.ports.staff.reachable(call.session, teams, people, call.now)
        if not found:
            return None
        renderer = self.ports.renderer
        place = f"tasks/{quote(task, safe='')}" if task else f"orders/{quote(order, safe='')}"
        rendered = renderer.mail(f"staff_{kind}", {
            "order": papers.one_line(order), "title": papers.one_line(title), "text": text.strip(),
            "page": f"{self.ports.public_url}/{place}", "about_task": bool(task),
        })
        return StaffLetter(
            kind=kind, people=tuple(one.name for one in found), sender=str(renderer.company["mail_from"]),
            recipients=tuple(one.email for one in found), subject=rendered.subject, text=rendered.text,
            html=rendered.html, message_id=_message_id(call, kind, str(renderer.company["mail_domain"])),
            date=format_datetime(call.now), order=order,
        )  # fmt: skip

    def perform(self, letter: StaffLetter, key: str) -> Told:
        refusal = refusal_of(self.ports.mail, lambda: write_mail(
            sender=letter.sender, recipients=letter.recipients, subject=letter.subject, text=letter.text,
            html=letter.html, message_id=letter.message_id, date=letter.date, order=letter.order,
        ))  # fmt: skip
        return Told(True) if refusal is None else Told(False, refusal)

    def record(self, call: Call, letter: StaffLetter, told: Told) -> Mapping[str, Any]:
        return {"kind": letter.kind, "to": list(letter.people), "sent": told.sent,
                **({"note": told.note} if told.note else {})}


def _message_id(call: Call, kind: str, domain: str) -> str:
    digest = hashlib.sha256(f"{call.key}\n{kind}".encode()).hexdigest()[:24]
    readable = re.sub(r"[^A-Za-z0-9-]", "-", call.order)[:60]
    return f"<{readable}.{kind}.{digest}@{domain}>"
