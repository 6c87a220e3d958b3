"""Step 6 and credit notes: lines, discount, tax, numbers without a gap, and nothing taken back twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from handlers import invoices
from handlers.tables import Invoice, InvoiceLine, Mail, OrderLine
from tests.conftest import MovableClock
from tests.till import ORDER, Till, sell

GOODS = {"product-a": (60, 1999), "product-b": (3, 2500)}


@pytest.fixture
def till(session: Session, clock: MovableClock, tmp_path: Path) -> Till:
    sell(session, clock, GOODS)
    return Till(session, clock, tmp_path)


def total_of(papers: list[Invoice], kind: str) -> int:
    return sum(paper.total for paper in papers if paper.kind == kind)


# --- step 6 ----------------------------------------------------------------------------------------------------------


def test_an_invoice_has_lines_discount_tax_and_total(till: Till) -> None:
    """5 % off a line of 50 pieces and more, then the tax of the country shipped to, on the sum."""
    result = till.invoice()

    (invoice,) = till.papers
    assert [(x.sku, x.quantity, x.unit_price, x.discount, x.net) for x in invoice.lines] == [
        ("product-a", 60, 1999, 5997, 113_943),
        ("product-b", 3, 2500, 0, 7500),
    ]
    assert (invoice.discount, invoice.net, invoice.tax, invoice.total) == (5997, 121_443, 23_074, 144_517)
    assert (invoice.tax_name, invoice.tax_rate_bp, invoice.currency) == ("VAT", 1900, "EUR")
    assert result == {"number": "INV-2026-0001", "total": 144_517, "due": 144_517, "currency": "EUR"}


@pytest.mark.parametrize(("quantity", "discount"), [(49, 0), (50, 250), (51, 255)])
def test_the_discount_begins_at_fifty_pieces(quantity: int, discount: int) -> None:
    """A line of 50 pieces is reduced, one of 49 is not."""
    assert invoices.discount_of(quantity, 100) == discount


def test_the_invoice_is_rendered_and_mailed_beside_the_order(till: Till, session: Session) -> None:
    """Neither the PDF nor the mail is waited for."""
    due = till.invoice()["due"]

    assert ("document.render", {"name": "invoice", "number": "INV-2026-0001", "due": due}) in till.queued
    assert "mail.send" in {operation for operation, _ in till.queued}
    mail = session.query(Mail).one()
    assert (mail.kind, mail.state) == ("invoice", "queued")
    assert "INV-2026-0001" in mail.text
    assert "€1,445.17" in mail.text


def test_nothing_changed_means_the_same_invoice(till: Till, clock: MovableClock) -> None:
    """Sent back to step 6 without a change: the invoice stands, and no second one or mail goes out."""
    first = till.invoice()
    till.queued.clear()
    clock.advance(days=1)

    assert till.invoice() == first
    assert len(till.papers) == 1
    assert till.queued == []


def test_a_change_is_a_credit_note_and_a_new_invoice(till: Till, session: Session) -> None:
    """The old invoice is credited whole; the new one says what the order holds now."""
    till.invoice()
    till.order.lines[0].quantity = 40
    session.flush()

    result = till.invoice()

    assert [(p.number, p.credits) for p in till.papers if p.kind == "credit_note"] == [
        ("CN-2026-0001", "INV-2026-0001")
    ]
    assert total_of(till.papers, "credit_note") == 144_517
    assert result["number"] == "INV-2026-0002"
    assert till.balance.owed == result["total"] == result["due"]
    assert till.invoice() == result


def test_another_country_is_another_tax(till: Till, session: Session) -> None:
    """When the address moves to another country the invoice no longer says what is so."""
    till.invoice()
    till.order.country = "US"
    session.flush()

    assert till.invoice()["total"] == 121_443


def test_numbers_have_no_gap(till: Till, session: Session, clock: MovableClock) -> None:
    """A number that was rolled back is given to the next paper; each year counts anew."""
    session.commit()
    till.invoice()
    session.rollback()
    assert till.invoice()["number"] == "INV-2026-0001"

    clock.advance(days=60)
    till.order.country = "FR"
    session.flush()

    assert till.invoice()["number"] == "INV-2027-0001"
    assert {p.number for p in till.papers} == {"INV-2026-0001", "CN-2027-0001", "INV-2027-0001"}


def test_what_is_paid_is_not_due_again(till: Till) -> None:
    """Due is what is invoiced and not paid on the whole order, so a send-back asks for nothing."""
    till.invoice()
    till.capture()

    assert till.invoice()["due"] == 0


def test_what_was_paid_back_is_due_again(till: Till) -> None:
    """Credited, refunded, and invoiced once more: the money is no longer there."""
    till.invoice()
    till.capture()
    till.credit("all")
    till.refund()

    assert till.invoice()["due"] == 144_517


def test_an_invoice_credited_in_part_does_not_stand(till: Till) -> None:
    """It no longer says what the order holds; its rest is credited and a new one written."""
    till.invoice()
    till.credit("part", product_b=1)

    assert till.invoice()["number"] == "INV-2026-0002"
    assert till.balance.owed == 144_517


# --- credit notes ----------------------------------------------------------------------------------------------------


def test_a_cancelled_order_is_credited_whole(till: Till) -> None:
    """Everything invoiced is taken back on paper, once."""
    till.invoice()

    first = till.credit("all")
    again = till.credit("all")

    assert first == {"number": "CN-2026-0001", "total": 144_517}
    assert again == {"number": None, "total": 0}
    assert till.balance.owed == 0
    assert ("document.render", {"name": "credit-note", "number": "CN-2026-0001"}) in till.queued


def test_where_nothing_was_invoiced_nothing_is_credited(till: Till) -> None:
    """An order cancelled before step 6 gets no credit note."""
    assert till.credit("all") == {"number": None, "total": 0}


def test_a_part_that_was_lost_is_credited_at_its_price(till: Till) -> None:
    """The lost pieces with their share of discount and tax."""
    till.invoice()

    result = till.credit("part", product_a=10)

    note = till.papers[-1] if till.papers[-1].kind == "credit_note" else till.papers[0]
    (line,) = note.lines
    assert (line.sku, line.quantity, line.discount, line.net) == ("product-a", 10, 1000, 18_990)
    assert result["total"] == 18_990 + 3608


def test_no_more_is_credited_than_was_invoiced(till: Till) -> None:
    """Pieces that were credited before, or never invoiced, are left out."""
    till.invoice()
    till.credit("part", product_b=2, product_x=5)

    second = till.credit("part", product_b=99)

    assert second["total"] == 2975
    assert till.credit("part", product_b=1) == {"number": None, "total": 0}


def test_the_credit_note_says_why(till: Till) -> None:
    """The reason of the cancellation, or of the delivery exception, stands on it, cut to what fits."""
    till.invoice()
    till.variables["cancellation"] = {"reason": "She changed\nher mind. " * 20}

    till.credit("all")

    (note,) = [paper for paper in till.papers if paper.kind == "credit_note"]
    assert note.reason.startswith("The order was cancelled. She changed her mind.")
    assert len(note.reason) == 200


def test_an_unknown_scope_is_our_mistake(till: Till) -> None:
    """A diagram that asks for something else is told what there is."""
    with pytest.raises(ValueError, match="all, refund, part"):
        invoices.credit(till.call(), "half")


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 120), st.integers(1, 99_999)), min_size=1, max_size=4),
    st.integers(0, 3000),
    st.lists(st.lists(st.integers(0, 60), min_size=4, max_size=4), max_size=5),
)
def test_credit_notes_add_up_to_the_invoice(goods: list[tuple[int, int]], rate: int, parts: list[list[int]]) -> None:
    """However an invoice is credited in parts, the notes add up to it to the cent when all its pieces are credited."""
    lines = [invoices.Line(f"p{n}", "", q, price, invoices.discount_of(q, price)) for n, (q, price) in enumerate(goods)]
    net = sum(line.net for line in lines)
    invoice = Invoice(number="I", kind="invoice", net=net, tax=invoices.percentage(net, rate), tax_rate_bp=rate)
    invoice.lines = [
        InvoiceLine(position=n, sku=x.sku, name="", quantity=x.quantity, unit_price=x.unit_price, discount=x.discount,
                    net=x.net)
        for n, x in enumerate(lines)
    ]  # fmt: skip
    papers = [invoice]

    for part in [*parts, [10_000] * 4]:
        left = invoices.remaining(invoice, papers)
        wanted = {position: min(left[position], part[position]) for position in left}
        drafted = invoices.draft_credit(invoice, wanted, papers)
        if drafted is None:
            continue
        credited, tax = drafted
        note = Invoice(number=f"C{len(papers)}", kind="credit_note", credits="I", tax=tax,
                       net=sum(line.net for line in credited.values()))  # fmt: skip
        note.lines = [InvoiceLine(position=p, quantity=x.quantity, discount=x.discount) for p, x in credited.items()]
        assert all(line.net >= 0 and line.discount >= 0 for line in credited.values())
        papers.append(note)

    notes = papers[1:]
    assert sum(note.net for note in notes) == invoice.net
    assert sum(note.tax for note in notes) == invoice.tax


def test_the_order_is_what_counts(till: Till, session: Session) -> None:
    """A line that is new on the order comes onto the next invoice."""
    till.invoice()
    order = till.order
    order.lines.append(OrderLine(order_number=ORDER, position=3, sku="product-b", name="B", quantity=1, unit_price=100))
    session.flush()

    till.invoice()

    newest = invoices.newest_invoice(session, ORDER)
    assert newest is not None
    assert [line.quantity for line in newest.lines] == [60, 3, 1]
