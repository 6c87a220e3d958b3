"""How a mail leaves: the transport port, the local outbox and SMTP."""

from __future__ import annotations

import os
import re
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from handlers.contract import Refused, TryAgain

REFUSED = "mail_refused"
"""The code of a refusal: this recipient or this message will never be taken."""


class MailTransport(Protocol):
    """Sends one mail. The same mail may be given again (same Message-ID); a receiver can tell it is the same."""

    def send(self, message: EmailMessage) -> None:
        """Raises `TryAgain` when it may work later, `Refused(REFUSED)` when this mail never will."""
        ...


class OutboxTransport:
    """The local outbox: every mail is a file `<message id>.eml` in a folder, and leaves the machine never."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def send(self, message: EmailMessage) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        local_part = str(message["Message-ID"]).strip("<>").partition("@")[0]
        target = self.folder / f"{re.sub(r'[^A-Za-z0-9.-]', '-', local_part)[:200]}.eml"
        draft = target.with_suffix(f".{os.getpid()}.part")
        draft.write_bytes(message.as_bytes(policy=policy.SMTP))
        draft.replace(target)


class SmtpTransport:
    """Sends over SMTP. The URL is `smtp://user:password@host:port`, `smtp+starttls://…` or `smtps://…`."""

    timeout = 5.0
    """Seconds for each answer of the server; well under half a job's lease."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("smtp", "smtps", "smtp+starttls") or not parts.hostname:
            raise ValueError(
                "A mail server is given as smtp://host:port, smtp+starttls://host:port or smtps://host:port."
            )
        self._scheme = parts.scheme
        self._host = parts.hostname
        self._port = parts.port or {"smtp": 25, "smtps": 465, "smtp+starttls": 587}[parts.scheme]
        self._user = unquote(parts.username or "")
        self._password = unquote(parts.password or "")

    def send(self, message: EmailMessage) -> None:
        try:
            with self._connection() as server:
                self._hand_over(server, message)
        except (smtplib.SMTPException, OSError) as error:
            raise TryAgain(f"The mail server {self._host} did not take the mail: {error}.") from error

    def _hand_over(self, server: smtplib.SMTP, message: EmailMessage) -> None:
        """What goes wrong here may be about this mail; what goes wrong before is about the server."""
        try:
            server.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            code, text = next(iter(error.recipients.values()))
            raise _verdict(code, text) from error
        except smtplib.SMTPDataError as error:
            raise _verdict(error.smtp_code, error.smtp_error) from error
        except smtplib.SMTPNotSupportedError as error:
            raise Refused(REFUSED, f"The mail server cannot write to this address: {error}.") from error

    @contextmanager
    def _connection(self) -> Iterator[smtplib.SMTP]:
        if self._scheme == "smtps":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                self._host, self._port, timeout=self.timeout, context=ssl.create_default_context()
            )
        else:
            server = smtplib.SMTP(self._host, self._port, timeout=self.timeout)
        with server:
            if self._scheme == "smtp+starttls":
                server.starttls(context=ssl.create_default_context())
            if self._user:
                server.login(self._user, self._password)
            yield server


def _verdict(code: int, text: bytes | str) -> Refused | TryAgain:
    """A 5xx about the recipient or the message is final, a 4xx passes."""
    said = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    if code >= 500:
        return Refused(REFUSED, f"The mail server refused the mail: {code} {said}")
    return TryAgain(f"The mail server asks to come back later: {code} {said}")
