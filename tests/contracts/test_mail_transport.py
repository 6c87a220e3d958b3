"""What every mail transport must hold: the outbox and SMTP against a real server on this machine."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Protocol

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope

from handlers.contract import GiveUp, Refused, TryAgain, time_limit
from handlers.mail import MailTransport, OutboxTransport, SmtpTransport
from handlers.messages import Letter, compose

LETTER = Letter(
    mail_id=1,
    sender="Shop <orders@shop.example>",
    recipient="erika@example.com",
    subject="Grüße aus Münster 東京",
    text="Hello Erika,\n\n.a line that starts with a dot\n",
    html="<!doctype html><p>Grüße</p>\n",
    message_id="<WB-10001.shipped.0123456789abcdef01234567@shop.example>",
    date="Mon, 23 Nov 2026 08:00:00 +0000",
    order="WB-10001",
)


class Receiver:
    """A real SMTP server's mind: takes mails, or answers with what it is told to."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.rcpt = "250 OK"
        self.data = "250 OK"
        self.quit = "221 Bye"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Envelope, address: str, options: Any) -> str:  # noqa: N802
        if self.rcpt.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.rcpt

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802
        if self.data.startswith("250"):
            assert isinstance(envelope.content, bytes)
            self.taken.append(envelope.content)
        return self.data

    async def handle_QUIT(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802
        return self.quit


class Post(Protocol):
    """A transport and what arrived at its other end."""

    transport: MailTransport

    def arrived(self) -> list[bytes]: ...


class Outbox:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.transport = OutboxTransport(folder)

    def arrived(self) -> list[bytes]:
        return [path.read_bytes() for path in sorted(self.folder.glob("*"))]


class Smtp:
    def __init__(self, receiver: Receiver, port: int) -> None:
        self.receiver = receiver
        self.transport = SmtpTransport(f"smtp://127.0.0.1:{port}")

    def arrived(self) -> list[bytes]:
        return list(self.receiver.taken)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def server() -> Iterator[Smtp]:
    receiver = Receiver()
    controller = Controller(receiver, hostname="127.0.0.1", port=free_port())
    controller.start()
    yield Smtp(receiver, controller.port)
    controller.stop()


@pytest.fixture(params=["outbox", "smtp"])
def post(request: pytest.FixtureRequest, tmp_path: Path) -> Post:
    if request.param == "outbox":
        return Outbox(tmp_path / "outbox")
    smtp: Smtp = request.getfixturevalue("server")
    return smtp


def read(data: bytes) -> EmailMessage:
    message = message_from_bytes(data, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


# --- every transport ------------------------------------------------------------------------------------------------


def test_a_mail_arrives_as_it_was_written(post: Post) -> None:
    """Headers, text and HTML in any script survive the way."""
    post.transport.send(compose(LETTER))

    [data] = post.arrived()
    mail = read(data)
    assert mail["Subject"] == LETTER.subject
    assert mail["From"] == LETTER.sender
    assert mail["To"] == LETTER.recipient
    assert mail["Message-ID"] == LETTER.message_id
    for kind, text in (("plain", LETTER.text), ("html", LETTER.html)):
        part = mail.get_body((kind,))
        assert part is not None
        assert part.get_content().replace("\r\n", "\n").rstrip("\n") == text.rstrip("\n")


def test_a_mail_sent_twice_can_be_told_to_be_one(post: Post) -> None:
    """A retry carries the same Message-ID; the outbox holds it once."""
    post.transport.send(compose(LETTER))
    post.transport.send(compose(LETTER))

    arrived = post.arrived()
    assert {str(read(data)["Message-ID"]) for data in arrived} == {LETTER.message_id}
    assert len(set(arrived)) == 1
    assert len(arrived) == (1 if isinstance(post, Outbox) else 2)


def test_two_mails_are_two(post: Post) -> None:
    """No mail takes the place of another."""
    other = Letter(**{**{name: getattr(LETTER, name) for name in LETTER.__slots__}, "message_id": "<b.c@shop.example>"})

    post.transport.send(compose(LETTER))
    post.transport.send(compose(other))

    assert len(post.arrived()) == 2


# --- the outbox -----------------------------------------------------------------------------------------------------


def test_an_outbox_file_is_named_by_its_mail_and_stays_in_its_folder(tmp_path: Path) -> None:
    """A Message-ID with path parts leads nowhere else."""
    message = compose(LETTER)
    message.replace_header("Message-ID", "<../../evil@shop.example>")

    OutboxTransport(tmp_path / "outbox").send(message)
    OutboxTransport(tmp_path / "outbox").send(compose(LETTER))

    names = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert names == ["outbox/..-..-evil.eml", "outbox/WB-10001.shipped.0123456789abcdef01234567.eml"]


# --- SMTP -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["rcpt", "data"])
def test_a_5xx_is_final(server: Smtp, where: str) -> None:
    """No such mailbox, or content never taken: trying again would change nothing."""
    setattr(server.receiver, where, "550 5.1.1 no such mailbox")

    with pytest.raises(Refused, match=r"550 5\.1\.1 no such mailbox") as refused:
        server.transport.send(compose(LETTER))
    assert refused.value.code == "mail_refused"


@pytest.mark.parametrize("where", ["rcpt", "data"])
def test_a_4xx_is_tried_again(server: Smtp, where: str) -> None:
    """Greylisting and full queues pass."""
    setattr(server.receiver, where, "451 4.7.1 come back later")

    with pytest.raises(TryAgain, match="451"):
        server.transport.send(compose(LETTER))


def test_a_server_that_is_away_is_tried_again() -> None:
    """Nobody listens there: a passing failure."""
    with pytest.raises(TryAgain, match=r"The mail server 127\.0\.0\.1 did not take the mail"):
        SmtpTransport(f"smtp://127.0.0.1:{free_port()}").send(compose(LETTER))


@pytest.mark.parametrize("goodbye", ["421 Too busy", "250 OK", "500 What?"])
def test_a_mail_that_was_taken_is_not_sent_again_for_an_odd_goodbye(server: Smtp, goodbye: str) -> None:
    """Whatever the server says once it has taken the mail: it has it."""
    server.receiver.quit = goodbye

    server.transport.send(compose(LETTER))

    assert len(server.arrived()) == 1


def test_a_wrong_password_is_not_the_mails_fault(server: Smtp) -> None:
    """A server that wants no sign-in, or another: a person has to mend that, and the mail is sent afterwards."""
    transport = SmtpTransport(f"smtp://user:pass%40word@127.0.0.1:{server.transport._port}")  # type: ignore[attr-defined]

    with pytest.raises(GiveUp, match="WAYBILL_SMTP_URL"):
        transport.send(compose(LETTER))
    assert server.arrived() == []


def test_a_server_that_hangs_up_is_tried_again() -> None:
    """Something else listens there and closes at once."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        listener.close()

        with pytest.raises(TryAgain):
            SmtpTransport(f"smtp://127.0.0.1:{port}").send(compose(LETTER))


@pytest.mark.parametrize("said", [b"2", b"220-wait\r\n"])
def test_a_server_that_never_comes_to_an_end_is_hung_up_on(said: bytes) -> None:
    """One sign now and then, each of them in time, holds no worker for longer than its call may take."""
    hung_up = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            connection, _ = listener.accept()
            with connection:
                for _ in range(200):
                    try:
                        connection.sendall(said)
                    except OSError:
                        hung_up.set()
                        return
                    hung_up.wait(0.05)

        dripping = threading.Thread(target=drip, daemon=True)
        dripping.start()
        with pytest.raises(TryAgain), time_limit(0.5):
            SmtpTransport(f"smtp://127.0.0.1:{listener.getsockname()[1]}").send(compose(LETTER))
        dripping.join()

    assert hung_up.is_set()


def test_a_server_that_says_nothing_is_given_up() -> None:
    """It took the connection and hangs."""
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(TryAgain), time_limit(0.3):
        SmtpTransport(f"smtp://127.0.0.1:{listener.getsockname()[1]}").send(compose(LETTER))


@pytest.mark.parametrize("url", ["http://mail.example", "mail.example:25", "smtp://", ""])
def test_a_wrong_url_is_said_at_once(url: str) -> None:
    """The start stops with one clear line."""
    with pytest.raises(ValueError, match="smtp://host:port"):
        SmtpTransport(url)
