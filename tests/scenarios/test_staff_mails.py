"""Mails to colleagues about work: who gets them, what stands in them, and that they decide nothing."""

from __future__ import annotations

from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from handlers.contract import Call
from handlers.documents import FileStore
from handlers.staff import Colleague, TellStaff
from tests import postroom
from tests.postroom import PostRoom, run
from tests.scenarios.shop import PEOPLE, Shop
from web.accounts import User

KINDS = ("reminder", "escalated", "alarm", "question")


def has_mail(shop: Shop, name: str, address: str | None, **more: Any) -> None:
    with shop.parts.database.write() as session:
        user = session.get_one(User, name)
        user.email = address
        for field, value in more.items():
            setattr(user, field, value)


def mails(shop: Shop) -> list[EmailMessage]:
    """The mails to colleagues that have left."""
    folder = shop.parts.settings.var / "outbox"
    found = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in sorted(folder.glob("*.eml"))]
    return [mail for mail in found if "waybill.example" in mail["To"]]  # type: ignore[misc]


def test_whoever_has_a_late_task_gets_a_mail_with_a_link_to_its_page(shop: Shop) -> None:
    """The reminder of a task that somebody has goes to that person alone, and leads to the task."""
    has_mail(shop, "warehouse", "mei@waybill.example")
    has_mail(shop, "sales", "anna@waybill.example")
    order = shop.places_order().goes_to("prepare_shipment")
    task = order.task("prepare_shipment")
    shop.engine.claim(task.id, PEOPLE["warehouse"])

    shop.clock.jump_to(task.due_at)
    shop.works()

    [mail] = mails(shop)
    assert mail["To"] == "mei@waybill.example"
    assert mail["Subject"] == f"Prepare order for shipment: late, {order.number}"
    text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert f"{shop.parts.settings.site}/tasks/{task.id}" in text.split()
    [told] = [e for e in order.history() if e.detail.get("operation") == "staff.mail"]
    assert told.detail["result"]["to"] == ["warehouse"]


def test_a_task_that_nobody_has_concerns_its_team_and_later_the_supervisor(shop: Shop) -> None:
    """The whole team is reminded in one mail; the escalation goes to whom the diagram names."""
    has_mail(shop, "warehouse", "mei@waybill.example")
    has_mail(shop, "owner", "dana@waybill.example")
    order = shop.places_order().goes_to("prepare_shipment")
    task = order.task("prepare_shipment")

    shop.clock.jump_to(task.due_at)
    shop.works()
    shop.clock.jump_to(task.due_at + (task.due_at - task.created_at) + timedelta(seconds=1))
    shop.works()

    assert {(m["To"], m["Subject"].split(":")[1]) for m in mails(shop) if "Prepare" in m["Subject"]} == {
        ("mei@waybill.example", f" late, {order.number}"), ("dana@waybill.example", f" very late, {order.number}")
    }


def test_without_an_address_nobody_is_told_and_no_job_is_made(shop: Shop) -> None:
    """A team without e-mail addresses leaves no job and no line behind."""
    order = shop.places_order().goes_to("prepare_shipment")

    shop.clock.jump_to(order.task("prepare_shipment").due_at)
    shop.works()

    assert "reminder" in [e.kind for e in order.history()]
    assert [e for e in order.history() if e.detail.get("operation") == "staff.mail"] == []


def test_people_who_are_away_are_passed_over_when_somebody_else_is_there(shop: Shop) -> None:
    """Who is away gets no mail as long as a colleague of the team can be told; the last one gets it all the same."""
    now = shop.clock.now()
    has_mail(shop, "stock-approver", "helena@waybill.example", away_from=now, away_until=now + timedelta(days=3))
    has_mail(shop, "stock-approver-2", "ravi@waybill.example")
    staff = shop.parts.ports.staff

    def told(**later: float) -> list[str]:
        with shop.parts.database.read() as session:
            return [c.name for c in staff.reachable(session, ["stock-approvers"], [], now + timedelta(**later))]

    assert told() == ["stock-approver-2"]
    assert told(days=3) == ["stock-approver", "stock-approver-2"]
    has_mail(shop, "stock-approver-2", "ravi@waybill.example", active=False)
    assert told() == ["stock-approver"]


class Two:
    """A directory of two people."""

    def reachable(self, *_: Any) -> list[Colleague]:
        return [Colleague("a", "a@shop.example"), Colleague("b", "b@shop.example")]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", ["", "It has stood\nfor <b>an hour</b>."])
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_every_wording_reads_well(shop: Shop, tmp_path: Path, kind: str, text: str) -> None:
    """One mail to both; what somebody typed becomes neither a header nor markup; no template is left in it."""
    room = PostRoom(FileStore(tmp_path / "files"))
    room.staff = Two()  # type: ignore[attr-defined]
    with shop.parts.database.read() as session:
        call: Call = postroom.make_call(session, shop.clock, room)

        result = run(TellStaff, call, kind=kind, teams=["sales"], people=[], order="WB-1", task=None,
                     title="Late\r\nBcc: x@y.z", text=text)

    assert result == {"kind": kind, "to": ["a", "b"], "sent": True}
    [mail] = room.mail.sent
    assert mail["To"] == "a@shop.example, b@shop.example"
    assert mail["Bcc"] is None
    for part in ("plain", "html"):
        body = mail.get_body((part,)).get_content()  # type: ignore[union-attr]
        assert "https://shop.example/orders/WB-1" in body
        assert "{" not in body.replace("style={", "")
        assert "<b>" not in body or part == "plain"
