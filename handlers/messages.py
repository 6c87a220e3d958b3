"""Mails to the customer: written with the order's state in a command (`message.*`), sent by a job (`mail.send`)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from handlers.contract import Call, External, Refused, operation
from handlers.mail import REFUSED
from handlers.tables import Mail, Order

if TYPE_CHECKING:
    from handlers.ports import Ports


def queue_mail(call: Call, kind: str, **context: Any) -> Mail:
    """Renders a mail of this kind to the order's customer, writes it down and has it sent by a job.

    `documents/README.md` says which variables a kind needs beside the ones every mail has. The Message-ID is made of the
    call's key and the kind, so the same call queues the same mail once.
    """
    from handlers import papers

    order = call.session.get_one(Order, call.order)
    message_id = _message_id(call, kind, str(call.ports.renderer.company["mail_domain"]))
    mail = call.session.scalar(select(Mail).where(Mail.message_id == message_id))
    if mail is not None:
        return mail
    track_url = f"{call.ports.public_url}/track/{order.track_token}"
    rendered = call.ports.renderer.mail(kind, {**papers.mail_facts(order), "track_url": track_url, **context})
    mail = Mail(
        order_number=order.number,
        kind=kind,
        recipient=order.email,
        subject=rendered.subject,
        text=rendered.text,
        html=rendered.html,
        message_id=message_id,
        state="queued",
        made_at=call.now,
    )
    call.session.add(mail)
    call.session.flush()
    call.later("mail.send", mail_id=mail.id)
    return mail


def _message_id(call: Call, kind: str, domain: str) -> str:
    digest = hashlib.sha256(f"{call.key}\n{kind}".encode()).hexdigest()[:24]
    readable = re.sub(r"[^A-Za-z0-9-]", "-", f"{call.order}.{kind}")[:80]
    return f"<{readable}.{digest}@{domain}>"
