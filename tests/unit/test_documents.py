"""Papers say what the tables say, scan, and keep data from becoming markup; stored bytes stay what they were."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from handlers import papers
from handlers.documents import CannotRender, FileStore, NotStored, RenderDocument, Renderer
from handlers.tables import Document
from tests import postroom
from tests.postroom import DOCUMENTS, ORDER, PostRoom, page_sizes, renderer, run, scan, text_of


@pytest.fixture
def room(tmp_path: Path) -> PostRoom:
    return PostRoom(FileStore(tmp_path / "files"))


def invoice_text(session: Session, number: str = "INV-1", name: str = "invoice") -> str:
    return text_of(renderer().pdf(name, papers.invoice(session, number)))


# --- invoice and credit note ----------------------------------------------------------------------------------------


def test_an_invoice_shows_lines_discount_tax_and_total(session: Session, clock: Any) -> None:
    """Everything the customer and the tax office need stands on the invoice."""
    postroom.place(session, clock)
    postroom.invoice(session, clock)

    text = invoice_text(session)

    for part in ("Invoice", "INV-1", ORDER, "23 November 2026", "Erika Müller-Łukasz", "48143 Münster", "Germany"):
        assert part in text
    for amount in ("€1,299.00", "€2,598.00", "−€3.75", "€71.25", "€2,673.00", "€2,669.25", "VAT 19%", "€507.16"):
        assert amount in text
    assert "Total €3,176.41" in text
    assert "Waybill Demo Shop" in text
    assert "IE 1234567T" in text


def test_an_invoice_to_be_paid_by_transfer_says_where_to_and_with_which_reference(session: Session, clock: Any) -> None:
    """A transfer needs account and reference; the reference is the invoice's number."""
    postroom.place(session, clock)
    postroom.invoice(session, clock)
    postroom.pay(session, clock, 10_000)

    text = invoice_text(session)

    assert "We have received €100.00. €3,076.41 is due by Bank Transfer" in text
    assert "IE29 AIBK 9311 5212 3456 78" in text
    assert "Reference INV-1" in text


def test_an_invoice_by_card_asks_for_nothing(session: Session, clock: Any) -> None:
    """We charge cards ourselves, so no bank account stands there to be paid twice."""
    postroom.place(session, clock, payment_method="credit_card")
    postroom.invoice(session, clock)

    text = invoice_text(session)

    assert "due by Credit Card and is charged by us" in text
    assert "IBAN" not in text


def test_an_invoice_that_is_paid_says_so(session: Session, clock: Any) -> None:
    """Money that came before the invoice was written again counts on it."""
    postroom.place(session, clock)
    postroom.invoice(session, clock)
    postroom.pay(session, clock, 317_641)

    assert "Paid. We have received €3,176.41" in invoice_text(session)


def test_a_credit_note_names_the_invoice_it_credits(session: Session, clock: Any) -> None:
    """A credit note counts against one invoice and says why."""
    postroom.place(session, clock)
    postroom.invoice(session, clock)
    postroom.invoice(session, clock, "CN-1", kind="credit_note", credits="INV-1", reason="One product came back broken")

    text = invoice_text(session, "CN-1", "credit-note")

    assert "Credit note" in text
    assert "Credits invoice INV-1" in text
    assert "One product came back broken" in text
    assert "Total credited €3,176.41" in text


def test_a_long_invoice_repeats_its_head_on_every_page(session: Session, clock: Any) -> None:
    """120 lines fit: the table goes over pages and every page says of how many it is one."""
    postroom.place(session, clock)
    postroom.invoice(session, clock)
    data = papers.invoice(session, "INV-1")
    data["lines"] = [{**data["lines"][0], "position": str(n)} for n in range(1, 121)]

    pdf = renderer().pdf("invoice", data)

    pages = len(page_sizes(pdf))
    assert pages > 2
    text = text_of(pdf)
    assert text.count("UNIT PRICE") >= pages - 1
    assert f"Page {pages} of {pages}" in text


@pytest.mark.parametrize("name", ["invoice", "credit-note", "packing-slip", "label", "evidence"])
def test_no_source_reads_packages_or_the_clock(name: str) -> None:
    """Papers are made without network and are the same whenever they are made."""
    source = (DOCUMENTS / f"{name}.typ").read_text("utf-8") + (DOCUMENTS / "lib.typ").read_text("utf-8")

    assert not re.search(r'import\s+"@', source)
    assert "datetime.today" not in source


def test_what_a_customer_typed_is_never_typst(session: Session, clock: Any) -> None:
    """A name full of typst code stands on the invoice as it was typed."""
    name = '#panic("x") *bold* $x$ #read("/etc/passwd") \\ <a> @b "c" // d'
    postroom.place(session, clock, customer_name=name)
    postroom.invoice(session, clock)

    assert name in invoice_text(session)


@pytest.mark.parametrize("name", ["東京 太郎", "Иван Петров", "Ελένη Παπά", "نور", "🙂 Smile", "line\nbreak\x07"])
def test_names_of_any_script_can_be_printed(session: Session, clock: Any, name: str) -> None:
    """No name stops a paper, whatever letters the fonts at hand lack."""
    postroom.place(session, clock, customer_name=name)
    postroom.invoice(session, clock)
    postroom.pack(session)

    assert renderer().pdf("invoice", papers.invoice(session, "INV-1")).startswith(b"%PDF")
    assert renderer().pdf("label", papers.label(session, ORDER)).startswith(b"%PDF")


def test_the_same_data_gives_the_same_bytes(session: Session, clock: Any) -> None:
    """A job that is repeated stores the paper once."""
    postroom.place(session, clock)
    postroom.invoice(session, clock)
    data = papers.invoice(session, "INV-1")

    assert renderer().pdf("invoice", data) == Renderer(DOCUMENTS).pdf("invoice", data)


# --- packing slip and label -----------------------------------------------------------------------------------------


def test_a_packing_slip_lists_by_location_and_scans_as_the_order(session: Session, clock: Any) -> None:
    """The picker walks from shelf to shelf once, and the scanner finds the order by the slip."""
    postroom.place(session, clock)

    pdf = renderer().pdf("packing-slip", papers.packing_slip(session, ORDER))

    text = text_of(pdf)
    assert text.index("aisle 4, Europe Product B") < text.index("aisle 7, Europe Product A")
    assert "Parcel 1" not in text
    assert "€" not in text
    assert [[code.text for code in page] for page in scan(pdf)] == [[ORDER]]


def test_a_packing_slip_shows_the_newest_round_of_parcels(session: Session, clock: Any) -> None:
    """After a lost shipment the slip tells of the parcels that are packed now."""
    postroom.place(session, clock)
    for parcel in postroom.pack(session):
        parcel.sscc = None
    session.flush()
    postroom.pack(session, round_=2)

    text = text_of(renderer().pdf("packing-slip", papers.packing_slip(session, ORDER)))

    assert text.count("Parcel 1 of 2") == 1
    assert "7.40 kg · 40 × 30 × 20 cm" in text
    assert "0.45 kg · 40 × 30 × 20 cm · Fragile" in text


def test_a_label_carries_each_parcels_own_sscc(session: Session, clock: Any) -> None:
    """What the scanner reads from page n is the number of parcel n, as GS1-128 with application identifier 00."""
    postroom.place(session, clock)
    parcels = postroom.pack(session)

    pdf = renderer().pdf("label", papers.label(session, ORDER))

    assert page_sizes(pdf) == [(100, 150), (100, 150)]
    codes = [page[0] for page in scan(pdf)]
    assert [re.sub(r"\D", "", code.text) for code in codes] == [f"00{parcel.sscc}" for parcel in parcels]
    assert {str(code.content_type) for code in codes} == {"ContentType.GS1"}


def test_a_label_says_what_a_person_needs(session: Session, clock: Any) -> None:
    """Address, weight, count, shipping and the number to type when the bars are torn."""
    postroom.place(session, clock)
    postroom.pack(session)

    text = text_of(renderer().pdf("label", papers.label(session, ORDER)))

    for part in ("Erika Müller-Łukasz", "Prinzipalmarkt 12", "48143 Münster", "Germany", "Express Shipping", ORDER):
        assert text.count(part) == 2
    assert "7.40 kg" in text
    assert "2 of 2" in text
    assert text.count("FRAGILE") == 1
    digits = text.replace(" ", "")
    assert all(f"(00){number}" in digits for number in postroom.SSCCS)


def test_a_very_long_address_still_fits_its_label(session: Session, clock: Any) -> None:
    """A long address is set smaller; the label stays one page and scans."""
    postroom.place(session, clock, customer_name="Long " * 40, street="Street " * 42, city="City " * 20)
    postroom.pack(session)

    pdf = renderer().pdf("label", papers.label(session, ORDER))

    assert page_sizes(pdf) == [(100, 150), (100, 150)]
    assert all(len(page) == 1 for page in scan(pdf))


def test_a_label_without_number_is_not_printed(session: Session, clock: Any) -> None:
    """A parcel whose SSCC is missing or has a wrong check digit gets no label that would scan as another."""
    postroom.place(session, clock)
    parcel = postroom.pack(session)[0]
    wrong = (int(parcel.sscc[-1]) + 1) % 10  # type: ignore[index]
    parcel.sscc = f"{parcel.sscc[:-1]}{wrong}"  # type: ignore[index]
    session.flush()

    with pytest.raises(ValueError, match="not an SSCC"):
        papers.label(session, ORDER)


def test_an_order_number_too_long_for_bars_becomes_a_qr_code(session: Session, clock: Any) -> None:
    """Every order can be scanned."""
    postroom.place(session, clock)
    data = {**papers.packing_slip(session, ORDER), "code": papers.scannable("IMPORT-2026-Bestellung-Köln-00001")}

    assert [code.text for code in scan(renderer().pdf("packing-slip", data))[0]] == [
        "IMPORT-2026-Bestellung-Köln-00001"
    ]


# --- document.render ------------------------------------------------------------------------------------------------


def test_rendering_keeps_the_paper_and_notes_it_once(session: Session, clock: Any, room: PostRoom) -> None:
    """A job that finishes twice leaves one document."""
    postroom.place(session, clock)
    postroom.invoice(session, clock)
    call = postroom.make_call(session, clock, room)

    first = run(RenderDocument, call, name="invoice", number="INV-1")
    second = run(RenderDocument, call, name="invoice", number="INV-1")

    assert first == second
    row = session.scalars(select(Document)).one()
    assert (row.name, row.title, row.order_number) == ("invoice.pdf", "INV-1", ORDER)
    pdf = room.files.get(row.sha256)
    assert len(pdf) == row.size
    assert "INV-1" in text_of(pdf)


def test_a_paper_shows_what_was_true_when_it_was_asked_for(session: Session, clock: Any, room: PostRoom) -> None:
    """A slow job does not print later changes."""
    order = postroom.place(session, clock)
    operation = RenderDocument(room)  # type: ignore[arg-type]
    call = postroom.make_call(session, clock, room)
    asked = operation.prepare(call, "packing-slip", ORDER)

    order.customer_name = "Somebody Else"
    session.flush()
    stored = operation.perform(asked, call.key)

    assert "Erika" in text_of(room.files.get(stored.sha256))


def test_every_reprint_is_a_document_of_its_own(session: Session, clock: Any, room: PostRoom) -> None:
    """A slip that is printed again on a second visit is noted again; the newest row counts."""
    postroom.place(session, clock)
    for visit in (1, 2):
        call = postroom.make_call(session, clock, room, visit=visit)
        run(RenderDocument, call, name="packing-slip", number=ORDER)

    assert session.scalar(select(func.count()).select_from(Document)) == 2


def test_an_unknown_paper_is_refused_by_name(session: Session, clock: Any, room: PostRoom) -> None:
    """A diagram that asks for a paper nobody drew gets a sentence, not a traceback of the compiler."""
    postroom.place(session, clock)

    with pytest.raises(CannotRender, match=r"There is no document 'poster'; there are invoice, credit-note"):
        run(RenderDocument, postroom.make_call(session, clock, room), name="poster", number="1")
    for name in ("../company", "/etc/passwd", "lib/../invoice"):
        with pytest.raises(CannotRender):
            renderer().pdf(name, {})


def test_a_broken_source_is_named(tmp_path: Path) -> None:
    """An analyst who breaks a source reads which one and what is wrong."""
    (tmp_path / "company.json").write_text("{}")
    (tmp_path / "mails").mkdir()
    (tmp_path / "invoice.typ").write_text("#let x = ")

    with pytest.raises(CannotRender, match=r"documents/invoice\.typ cannot be rendered: expected expression"):
        Renderer(tmp_path).pdf("invoice", {})


def test_a_source_reads_nothing_outside_its_folder(tmp_path: Path) -> None:
    """The folder is the root: no way leads out of it."""
    (tmp_path / "secret.txt").write_text("secret")
    folder = tmp_path / "documents"
    (folder / "mails").mkdir(parents=True)
    (folder / "company.json").write_text("{}")
    (folder / "invoice.typ").write_text('#read("../secret.txt")')

    with pytest.raises(CannotRender):
        Renderer(folder).pdf("invoice", {})


# --- the file store -------------------------------------------------------------------------------------------------


def test_bytes_are_stored_once_under_their_hash(tmp_path: Path) -> None:
    """The same bytes give the same name, and nothing half-written stays."""
    store = FileStore(tmp_path)

    first, second = store.put(b"paper"), store.put(b"paper")

    assert first == second == hashlib.sha256(b"paper").hexdigest()
    assert store.get(first) == b"paper"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [first]


def test_a_damaged_file_is_not_handed_out(tmp_path: Path) -> None:
    """Evidence that was changed on disk is noticed when it is read."""
    store = FileStore(tmp_path)
    sha256 = store.put(b"paper")
    next(path for path in tmp_path.rglob("*") if path.is_file()).write_bytes(b"forged")

    with pytest.raises(NotStored, match="damaged"):
        store.get(sha256)
    store.put(b"paper")
    assert store.get(sha256) == b"paper"


@pytest.mark.parametrize("name", ["0" * 64, "../../etc/passwd", "", "A" * 64])
def test_what_is_not_there_is_said(tmp_path: Path, name: str) -> None:
    """Neither a missing file nor a path is opened."""
    with pytest.raises(NotStored):
        FileStore(tmp_path).get(name)
