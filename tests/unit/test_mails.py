"""Mails to customers: every wording renders, nothing a customer typed becomes markup or a header, each is sent once."""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from handlers import messages
from handlers.contract import Call, Refused, TryAgain
from handlers.documents import CannotRender, FileStore, Renderer
from handlers.mail import REFUSED
from handlers.messages import SendMail, queue_mail
from handlers.tables import Mail
from handlers.words import FOLLOW_UPS
from tests import postroom
from tests.postroom import DOCUMENTS, ORDER, PostRoom, Queue, run

MONEY = {"invoice": "INV-1", "total": "€3,176.41", "due": "€3,176.41"}
CONTEXTS: dict[str, list[dict[str, Any]]] = {
    "received": [{}],
    "invoice": [MONEY, {**MONEY, "due": "€0.00"}],
    "payment_declined": [{}, {"reason": "The card has expired."}],
    "payment_reminder": [MONEY],
    "shipped": [
        {
            "courier": "Courier B",
            "tracking_number": "T-1",
            "expected_on": "25 November 2026",
            "parcels": 2,
            "again": False,
        },
        {"courier": "", "tracking_number": "", "expected_on": "", "parcels": 1, "again": True},
    ],
    "address_changed": [{"was": "Old Street 1, 10115 Berlin, Germany"}],
    "delay": [{"place": "Linz", "note": "Snow on the road"}, {"place": "", "note": ""}],
    "delivered": [{"follow_up": follow_up, "proof": "Signed by E. Müller."} for follow_up in FOLLOW_UPS]
    + [{"follow_up": "something_new", "proof": ""}],
    "cancelled": [
        {"reason": "Customer changed their mind", "returned": "€10.00", "returning": "", "kept": ""},
        {"reason": "", "returned": "", "returning": "", "kept": ""},
        {"reason": "", "returned": "", "returning": "€5.00", "kept": "€2.00"},
    ],
}
WAYS_TO_PAY = ("credit_card", "bank_transfer")


@pytest.fixture
def room(tmp_path: Path) -> PostRoom:
    return PostRoom(FileStore(tmp_path / "files"))


@pytest.fixture
def later() -> Queue:
    return Queue()


@pytest.fixture
def call(session: Session, clock: Any, room: PostRoom, later: Queue) -> Call:
    return postroom.make_call(session, clock, room, later)


@pytest.fixture
def picked_up(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """Stands in for the shipping side, which has tests of its own; lists the calls it was given."""
    import handlers.shipping

    calls: list[Call] = []
    monkeypatch.setattr(handlers.shipping, "ensure_picked_up", calls.append)
    return calls


# --- wording --------------------------------------------------------------------------------------------------------


def test_every_kind_of_mail_has_its_three_parts_and_a_test() -> None:
    """A mail without text or HTML, or one that no test renders, is noticed here."""
    files = {path.name for path in (DOCUMENTS / "mails").iterdir() if not path.name.startswith("_")}

    files = {name for name in files if not name.startswith("staff_")}  # see test_staff_mails.py
    assert files == {f"{kind}.{part}" for kind in CONTEXTS for part in ("subject", "txt", "html")}


@pytest.mark.parametrize("method", WAYS_TO_PAY)
@pytest.mark.parametrize(("kind", "context"), [(kind, context) for kind in CONTEXTS for context in CONTEXTS[kind]])
def test_every_wording_reads_well(session: Session, clock: Any, call: Call, kind: str, context: dict[str, Any],
                                  method: str) -> None:  # fmt: skip
    """Both forms greet the customer, name the order and lead to the tracking page; no template is left in them."""
    postroom.place(session, clock, payment_method=method)

    mail = queue_mail(call, kind, **context)

    link = "https://shop.example/track/unguessable"
    assert ORDER in mail.subject or context.get("invoice", "?") in mail.subject
    assert "\n" not in mail.subject
    for form in (mail.text, mail.html):
        assert "Hello Erika Müller-Łukasz" in form
        assert link in form
        assert not re.search(r"[{}]|None|Undefined", re.sub(r'style="[^"]*"', "", form))
    assert not re.search(r"\n{4,}| \n", mail.text)
    assert not re.search(r"<[a-z]", mail.text)
    assert mail.html.startswith("<!doctype html>")
    assert mail.recipient == "erika@example.com"


def test_a_transfer_is_told_the_account_and_a_card_is_not(session: Session, clock: Any, call: Call) -> None:
    """Bank details stand only where somebody has to use them."""
    order = postroom.place(session, clock)

    by_transfer = queue_mail(call, "invoice", **MONEY)
    order.payment_method = "credit_card"
    by_card = queue_mail(postroom.make_call(session, clock, call.ports, visit=2), "invoice", **MONEY)

    assert "IE29 AIBK" in by_transfer.text
    assert "IE29 AIBK" in by_transfer.html
    assert "IE29 AIBK" not in by_card.text + by_card.html
    assert "you need not do anything" in by_card.text


def test_a_mail_that_lacks_a_value_is_not_written(session: Session, clock: Any, call: Call, later: Queue) -> None:
    """A missing value is an error of ours and never a gap in what a customer reads."""
    postroom.place(session, clock)

    with pytest.raises(CannotRender, match=r"The mail 'delay' cannot be rendered: 'place' is undefined"):
        queue_mail(call, "delay")
    with pytest.raises(
        CannotRender, match=r"There is no mail 'greeting': documents/mails/greeting\.subject is missing"
    ):
        queue_mail(call, "greeting")

    assert later.jobs == []
    assert session.scalars(select(Mail)).all() == []


def test_templates_run_sandboxed_and_in_their_folder(tmp_path: Path) -> None:
    """Who may edit a wording gains no Python and no file."""
    (tmp_path / "company.json").write_text("{}")
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "mails").mkdir()
    for part in ("subject", "html"):
        (tmp_path / "mails" / f"evil.{part}").write_text("x")
    for attack in ("{{ ''.__class__.__mro__ }}", "{% include '../secret.txt' %}", "{{ company.update({'a': 1}) }}"):
        (tmp_path / "mails" / "evil.txt").write_text(attack)
        with pytest.raises(CannotRender):
            Renderer(tmp_path).mail("evil", {})


# --- what customers type --------------------------------------------------------------------------------------------


def test_a_customer_called_script_stays_a_name(session: Session, clock: Any, call: Call) -> None:
    """HTML in any field of the order is shown, not obeyed."""
    evil = "<script>alert(1)</script>"
    order = postroom.place(session, clock, customer_name=evil, street=f"{evil} 1")
    order.lines[0].name = evil

    for kind, contexts in CONTEXTS.items():
        values = {key: evil if isinstance(value, str) and value else value for key, value in contexts[0].items()}
        mail = queue_mail(call, kind, **values)

        assert "<script" not in mail.html
        assert "&lt;script&gt;" in mail.html


def test_line_breaks_cannot_add_headers(session: Session, clock: Any, call: Call, room: PostRoom) -> None:
    """A name or number with CR and LF makes no new header and no second recipient."""
    evil = "Eve\r\nBcc: everybody@example.com\r\n\r\nhello"
    postroom.place(session, clock, customer_name=evil)

    mail = queue_mail(call, "invoice", **{**MONEY, "invoice": evil})
    mail.subject = evil
    run(SendMail, call, mail_id=mail.id)

    sent = message_from_bytes(room.mail.sent[0].as_bytes(policy=policy.SMTP), policy=policy.default)
    assert sent["Bcc"] is None
    assert sent["Subject"] == "Eve Bcc: everybody@example.com hello"
    assert sent["To"] == "erika@example.com"


@pytest.mark.parametrize("address", ["a@b.com\r\nBcc: x@y.com", "nobody", "", "a@b.com, c@d.com", "<a@b.com>"])
def test_an_address_that_is_none_is_refused_and_not_sent(
    session: Session, clock: Any, call: Call, room: PostRoom, address: str
) -> None:
    """The order goes on; its page shows that the mail was refused."""
    postroom.place(session, clock, email=address)
    mail = queue_mail(call, "received")

    result = run(SendMail, call, mail_id=mail.id)

    assert room.mail.sent == []
    assert (mail.state, mail.sent_at) == ("refused", None)
    assert "is not an e-mail address" in result["note"]


# --- queueing and sending -------------------------------------------------------------------------------------------


def test_a_mail_is_written_with_the_step_and_sent_by_a_job(session: Session, clock: Any, call: Call, later: Queue,
                                                           room: PostRoom) -> None:  # fmt: skip
    """The step does not wait for the mail server."""
    postroom.place(session, clock)

    mail = queue_mail(call, "received")

    assert (mail.state, mail.sent_at, mail.kind) == ("queued", None, "received")
    assert later.jobs == [("mail.send", {"mail_id": mail.id})]
    assert room.mail.sent == []

    sent_at = clock.advance(minutes=5)
    run(SendMail, call, mail_id=mail.id)

    assert (mail.state, mail.sent_at) == ("sent", sent_at)
    [message] = room.mail.sent
    assert (message["Subject"], message["From"]) == (mail.subject, "Waybill Demo Shop <orders@waybill.example>")
    assert message["Date"].startswith("Mon, 23 Nov 2026 08:00:00")
    assert [part.get_content_type() for part in message.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert body(message, "plain") == mail.text


def test_one_call_queues_a_kind_once(session: Session, clock: Any, call: Call, later: Queue, room: PostRoom) -> None:
    """The Message-ID is made of call and kind: a repeat adds nothing, another visit or kind does."""
    postroom.place(session, clock)

    first = queue_mail(call, "delay", place="Linz", note="")
    again = queue_mail(call, "delay", place="Linz", note="")
    other_kind = queue_mail(call, "received")
    other_visit = queue_mail(postroom.make_call(session, clock, room, visit=2), "delay", place="Graz", note="")

    assert again is first
    assert len({mail.message_id for mail in (first, other_kind, other_visit)}) == 3
    assert len(later.jobs) == 2
    assert re.fullmatch(r"<WB-10001\.delay\.[0-9a-f]{24}@waybill\.example>", first.message_id)


def test_a_retry_sends_the_same_bytes(session: Session, clock: Any, call: Call, room: PostRoom) -> None:
    """A receiver recognises a mail that was sent twice because an answer was lost."""
    postroom.place(session, clock)
    mail = queue_mail(call, "received")
    operation = SendMail(room)  # type: ignore[arg-type]
    letter = operation.prepare(call, mail.id)

    operation.perform(letter, call.key)
    clock.advance(hours=3)
    operation.perform(letter, call.key)

    first, second = room.mail.sent
    assert first.as_bytes() == second.as_bytes()


def test_a_mail_server_that_is_away_is_tried_again(session: Session, clock: Any, call: Call, room: PostRoom) -> None:
    """A passing failure leaves the mail queued."""
    postroom.place(session, clock)
    mail = queue_mail(call, "received")
    room.mail.error = TryAgain("The mail server does not answer.")

    with pytest.raises(TryAgain):
        run(SendMail, call, mail_id=mail.id)

    assert mail.state == "queued"


def test_a_mail_that_is_refused_for_good_does_not_stop_the_order(
    session: Session, clock: Any, call: Call, room: PostRoom
) -> None:
    """No such mailbox: the row says so, nothing is raised."""
    postroom.place(session, clock)
    mail = queue_mail(call, "received")
    room.mail.error = Refused(REFUSED, "550 no such mailbox")

    assert run(SendMail, call, mail_id=mail.id)["note"] == "550 no such mailbox"

    assert mail.state == "refused"


# --- the operations of the diagram ----------------------------------------------------------------------------------


def test_step_14_says_courier_number_and_day(session: Session, clock: Any, call: Call, picked_up: list[Call]) -> None:
    """Pickup is noted first, then the customer hears of the newest booking that stands."""
    postroom.place(session, clock)
    postroom.pack(session)
    postroom.ship(session, clock, reference="BK-0", courier="courier_a", tracking_number="OLD", state="cancelled")
    postroom.ship(session, clock)

    result = messages.shipped(call, "express")

    mail = session.get_one(Mail, result["mail"])
    assert picked_up == [call]
    assert mail.subject == "Your order WB-10001 is on its way"
    for part in ("Express Shipping", "Courier B", "TRACK-4711", "25 November 2026", "Parcels: 2"):
        assert part in mail.text
    assert "OLD" not in mail.text


def test_a_second_shipment_says_that_it_is_one(session: Session, clock: Any, call: Call, picked_up: list[Call]) -> None:
    """After a lost parcel the customer is told that it was sent again."""
    postroom.place(session, clock)
    postroom.pack(session, round_=2)
    postroom.ship(session, clock, reference="BK-2", round=2)

    mail = session.get_one(Mail, messages.shipped(call, "express")["mail"])

    assert mail.subject.endswith("on its way again")


@pytest.mark.parametrize(
    ("follow_up", "words"),
    [
        ("request_feedback", "How did we do?"),
        ("offer_discount", "we take 10 % off"),
        ("encourage_review", "write a short review"),
    ],
)
def test_step_17_follows_up_as_the_order_says(session: Session, clock: Any, call: Call, follow_up: str,
                                              words: str) -> None:  # fmt: skip
    """Each of the three follow-ups has its own words, and only its own."""
    postroom.place(session, clock)
    postroom.ship(session, clock, state="delivered", proof="Signed by E. Müller on 25 November")

    mail = session.get_one(Mail, messages.delivered(call, follow_up)["mail"])

    text, html = " ".join(mail.text.split()), re.sub(r"<[^>]*>", "", " ".join(mail.html.split()))
    assert "Signed by E. Müller on 25 November" in text
    for wording in ("How did we do?", "we take 10 % off", "write a short review"):
        assert (wording in text) == (wording in html) == (wording == words)


def test_a_reminder_names_what_is_still_due(session: Session, clock: Any, call: Call) -> None:
    """What came already is taken off."""
    postroom.place(session, clock)
    postroom.invoice(session, clock)
    postroom.pay(session, clock, 117_641)

    mail = session.get_one(Mail, messages.payment_reminder(call, "INV-1")["mail"])

    assert "€2,000.00" in mail.subject
    assert re.search(r"Amount\s+€2,000\.00", mail.text)
    assert re.search(r"Reference\s+INV-1", mail.text)


@pytest.mark.parametrize(
    ("movements", "words"),
    [
        ([], "You have not been charged"),
        ([(317_641, "capture", "refused")], "You have not been charged"),
        ([(317_641, "capture", "done"), (317_641, "refund", "done")], "We have returned €3,176.41 to you"),
        ([(317_641, "capture", "done"), (317_641, "refund", "pending")], "We are returning €3,176.41 to you"),
        ([(317_641, "capture", "done")], "€3,176.41 of your payment is still with us"),
    ],
)
def test_a_cancelled_order_tells_what_becomes_of_the_money(
    session: Session, clock: Any, call: Call, movements: list[tuple[int, str, str]], words: str
) -> None:
    """The customer reads why, and the truth about the money."""
    postroom.place(session, clock)
    for movement in movements:
        postroom.pay(session, clock, *movement)

    mail = session.get_one(Mail, messages.cancelled(call, "No stock\nbefore spring")["mail"])

    assert "Reason: No stock before spring" in mail.text
    assert words in mail.text
    assert words in re.sub(r"<[^>]*>", "", mail.html)


def body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content())
