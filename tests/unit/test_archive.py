"""Step 19: the evidence pack holds the whole order, is named by the convention and can be checked later."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from handlers.archive import ArchiveOrder
from handlers.contract import Call
from handlers.documents import FileStore, RenderDocument
from handlers.messages import SendMail, queue_mail
from handlers.tables import Document, Order
from tests import postroom
from tests.postroom import ORDER, PostRoom, run, text_of

HEAD = "ab" * 32


def history() -> dict[str, Any]:
    events = [
        {"seq": 1, "at": datetime(2026, 11, 20, 9, 5, tzinfo=UTC), "actor": "sales", "kind": "completed", "step": 1,
         "name": "Receive new order from customer", "hash": "cd" * 32},
        {"seq": 2, "at": "2026-11-20T10:00:00.000000+00:00", "actor": "stock-approver", "kind": "approved", "step": 5,
         "name": "Approval: Inventory Reservation", "hash": HEAD},
    ]  # fmt: skip
    return {"head": HEAD, "seq": 2, "version": 1, "events": events}


@pytest.fixture
def room(tmp_path: Path) -> PostRoom:
    return PostRoom(FileStore(tmp_path / "files"))


@pytest.fixture
def call(session: Session, clock: Any, room: PostRoom) -> Call:
    return postroom.make_call(session, clock, room, history=history)


@pytest.fixture
def order(session: Session, clock: Any, room: PostRoom, call: Call) -> Order:
    """An order at the end of its way, with everything an order can have."""
    order = postroom.place(session, clock)
    postroom.invoice(session, clock)
    postroom.invoice(session, clock, "CN-1", kind="credit_note", credits="INV-1", total=100, reason="Scratched")
    postroom.pay(session, clock, 317_641)
    postroom.pay(session, clock, 100, "refund")
    postroom.pack(session)
    postroom.ship(session, clock, state="delivered", proof="Signed by E. Müller")
    run(RenderDocument, call, name="invoice", number="INV-1")
    run(SendMail, call, mail_id=queue_mail(call, "received").id)
    order.closed_at = clock.advance(hours=15, minutes=59)
    session.flush()
    return order


def documents(session: Session) -> dict[str, Document]:
    return {row.name: row for row in session.scalars(select(Document))}


def test_the_pack_is_named_by_the_archive_convention(session: Session, order: Order, call: Call, clock: Any) -> None:
    """Order number, day of closing, evidence: also when it is archived a day later."""
    clock.advance(days=1)

    result = run(ArchiveOrder, call)

    assert result["name"] == "WB-10001_2026-11-23_evidence.json"
    assert result["head"] == HEAD
    rows = documents(session)
    assert rows["evidence.json"].title == "WB-10001_2026-11-23_evidence.json"
    assert rows["evidence.pdf"].title == "WB-10001_2026-11-23_evidence.pdf"
    assert (rows["evidence.json"].content_type, rows["evidence.pdf"].content_type) == (
        "application/json",
        "application/pdf",
    )
    assert rows["evidence.json"].sha256 == result["sha256"]


def test_the_json_holds_everything(session: Session, order: Order, call: Call, room: PostRoom) -> None:
    """Order, lines, invoices, money, stock, parcels, shipments, reports, mails, documents and the whole history."""
    pack = json.loads(room.files.get(run(ArchiveOrder, call)["sha256"]))

    assert pack["order"]["number"] == ORDER
    assert pack["order"]["customer_name"] == "Erika Müller-Łukasz"
    assert pack["order"]["closed_at"] == "2026-11-23T23:59:00Z"
    assert [line["sku"] for line in pack["order"]["lines"]] == ["product-a", "product-b"]
    assert {row["number"]: row["total"] for row in pack["invoices"]} == {"CN-1": 100, "INV-1": 317_641}
    assert len(pack["invoices"][0]["lines"]) == 2
    assert [(row["kind"], row["amount"]) for row in pack["payments"]] == [("capture", 317_641), ("refund", 100)]
    assert pack["reservations"][0]["lines"][0] == {
        "reference": "R-1", "sku": "product-a", "region": "europe", "quantity": 2,
    }  # fmt: skip
    assert [row["sscc"] for row in pack["parcels"]] == list(postroom.SSCCS)
    assert pack["shipments"][0]["proof"] == "Signed by E. Müller"
    assert pack["shipments"][0]["expected_on"] == "2026-11-25"
    assert pack["reports"][0]["place"] == "Münster"
    assert [row["kind"] for row in pack["mails"]] == ["received"]
    assert pack["documents"][0]["sha256"] == documents(session)["invoice.pdf"].sha256
    assert pack["history"]["head"] == HEAD
    assert [event["actor"] for event in pack["history"]["events"]] == ["sales", "stock-approver"]
    assert pack["history"]["events"][0]["at"] == "2026-11-20T09:05:00Z"


def test_the_json_is_canonical_and_gives_no_power(order: Order, call: Call, room: PostRoom) -> None:
    """Sorted keys, UTF-8; neither the payment token nor the customer's tracking address stands in it."""
    data = room.files.get(run(ArchiveOrder, call)["sha256"])

    again = json.dumps(json.loads(data), sort_keys=True, indent=2, ensure_ascii=False).encode()
    assert data == again
    assert b"secret-token" not in data
    assert b"unguessable" not in data


def test_the_pdf_sums_up_and_names_the_hashes(session: Session, order: Order, call: Call, room: PostRoom) -> None:
    """Who holds the paper can check the file and the end of the chain."""
    sha256 = run(ArchiveOrder, call)["sha256"]

    text = text_of(room.files.get(documents(session)["evidence.pdf"].sha256))

    for part in ("WB-10001_2026-11-23_evidence.json", "INV-1", "CN-1", "€3,176.41", "BANK-77", "Courier B",
                 "Signed by E. Müller", "Approval: Inventory Reservation: approved", "stock-approver"):  # fmt: skip
        assert part in text
    digits = "".join(text.split()).replace("\u200b", "")
    assert sha256 in digits
    assert HEAD in digits
    assert hashlib.sha256(room.files.get(sha256)).hexdigest() == sha256


def test_archiving_again_adds_nothing(session: Session, order: Order, call: Call) -> None:
    """A job that finishes twice leaves one pack."""
    operation = ArchiveOrder(call.ports)
    asked = operation.prepare(call)

    first = operation.record(call, asked, operation.perform(asked, call.key))
    second = operation.record(call, asked, operation.perform(asked, call.key))

    assert first == second
    assert sorted(documents(session)) == ["evidence.json", "evidence.pdf", "invoice.pdf"]
    assert len(session.scalars(select(Document)).all()) == 3


def test_an_order_with_nothing_but_itself_is_archived(session: Session, clock: Any, room: PostRoom) -> None:
    """An order of a process without stock or money has its pack too."""
    postroom.place(session, clock)

    result = run(ArchiveOrder, postroom.make_call(session, clock, room))

    assert result["head"] is None
    pack = json.loads(room.files.get(result["sha256"]))
    assert (pack["invoices"], pack["parcels"], pack["history"]["events"]) == ([], [], [])


def test_a_number_from_elsewhere_makes_a_safe_name(session: Session, order: Order, call: Call, clock: Any) -> None:
    """A number with a slash names a file and no folder."""
    from handlers.archive import archive_name

    order.number = "2026/11 Köln"

    assert archive_name(order, clock.now()) == "2026-11-K-ln_2026-11-23_evidence"
    session.expire(order)
