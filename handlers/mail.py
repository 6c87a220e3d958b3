"""How a mail leaves: the transport port, the local outbox and SMTP."""

from __future__ import annotations

import os
import re
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from handlers.contract import GiveUp, Refused, TryAgain, seconds_left

REFUSED = "mail_refused"
"""The code of a refusal: this recipient or this message will never be taken."""


class MailTransport(Protocol):
    """Sends one mail. The same mail may be given again (same Message-ID); a receiver can tell it is the same."""

    def send(self, message: EmailMessage) -> None:
        """Raises `TryAgain` when it may work later, `Refused(REFUSED)` when this mail never will, and `GiveUp` when no
        mail will before somebody has mended something (a wrong password).
        """
        ...


def refusal_of(transport: MailTransport, compose: Callable[[], EmailMessage]) -> str | None:
    """Composes a mail and sends it: None when the transport has taken it, or why this one never can leave, as it is
    with an address that is none. Raises `TryAgain` and `GiveUp` as the transport does."""
    try:
        transport.send(compose())
    except Refused as refusal:
        if refusal.code != REFUSED:
            raise
        return refusal.message
    return None


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
    """Sends over SMTP. The URL is `smtp://user:password@host:port`, `smtp+starttls://…` or `smtps://…`.

    The whole dialogue ends within `seconds_left`, however slowly the server speaks; only the look-up of its name is the
    operating system's.
    """

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
            with (
                closing(self._connect()) as connected,
                _hang_up_in_time(connected),
                self._dialogue(connected) as server,
            ):
                self._hand_over(server, message)
        except smtplib.SMTPAuthenticationError as error:
            raise self._trouble(error.smtp_code, error.smtp_error, "the user name and password") from error
        except smtplib.SMTPSenderRefused as error:
            raise self._trouble(error.smtp_code, error.smtp_error, f"the sender {error.sender}") from error
        except smtplib.SMTPNotSupportedError as error:
            raise GiveUp(
                f"The mail server {self._host} does not offer what WAYBILL_SMTP_URL asks for: {error}"
            ) from error
        except (smtplib.SMTPException, OSError) as error:
            raise TryAgain(f"The mail server {self._host} did not take the mail: {error}.") from error

    def _connect(self) -> socket.socket:
        """Connects to the first address of the server that answers, all of them within the time left."""
        trouble: OSError | None = None
        for family, kind, protocol, _, address in socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM):
            connecting = socket.socket(family, kind, protocol)
            try:
                connecting.settimeout(seconds_left())
                connecting.connect(address)
            except OSError as error:
                connecting.close()
                trouble = error
            except BaseException:
                connecting.close()
                raise
            else:
                return connecting
        raise trouble or OSError(f"{self._host} has no address")

    def _dialogue(self, connected: socket.socket) -> smtplib.SMTP:
        """Greeted and signed in, ready for the mail."""
        if self._scheme == "smtps":
            connected = ssl.create_default_context().wrap_socket(connected, server_hostname=self._host)
        server = _Dialogue(connected, self._host, self._port)
        try:
            if self._scheme == "smtp+starttls":
                server.starttls(context=ssl.create_default_context())
            if self._user:
                server.login(self._user, self._password)
        except BaseException:
            server.close()
            raise
        return server

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

    def _trouble(self, code: int, text: bytes | str, what: str) -> GiveUp | TryAgain:
        """What the server has against us: nobody's mail would leave, so a 5xx needs a person."""
        if code >= 500:
            return GiveUp(f"The mail server {self._host} does not accept {what}: {code} {_said(text)}")
        return TryAgain(f"The mail server {self._host} asks to come back later: {code} {_said(text)}")


class _Dialogue(smtplib.SMTP):
    """A dialogue over a connection that is there already."""

    def __init__(self, connected: socket.socket, host: str, port: int) -> None:
        self._connected = connected
        super().__init__(host, port, timeout=connected.gettimeout() or seconds_left())

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return self._connected

    def __exit__(self, *_: object) -> None:
        """Says goodbye. What the server answers to that changes nothing of what it has taken or refused."""
        with suppress(OSError):
            self.docmd("QUIT")
        self.close()


@contextmanager
def _hang_up_in_time(connected: socket.socket) -> Iterator[None]:
    """Ends the connection when the time is up: time-outs of single answers would add up over a dialogue."""
    line = connected.dup()  # stays the connection's when TLS takes the socket over

    def hang_up() -> None:
        with suppress(OSError):  # the server was faster
            line.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds_left(), hang_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        line.close()


def _verdict(code: int, text: bytes | str) -> Refused | TryAgain:
    """A 5xx about the recipient or the message is final, a 4xx passes."""
    if code >= 500:
        return Refused(REFUSED, f"The mail server refused the mail: {code} {_said(text)}")
    return TryAgain(f"The mail server asks to come back later: {code} {_said(text)}")


def _said(text: bytes | str) -> str:
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text
