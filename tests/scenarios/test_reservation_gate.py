"""Gate 5: who may sign the reservation, what is signed, and what each decision does."""

from __future__ import annotations

import pytest

from engine.errors import (
    AlreadyDecided,
    InvalidForm,
    NotAnApprover,
    NotFound,
    SeparationOfDuties,
    StaleSnapshot,
)
from engine.views import Actor
from handlers.tables import Order
from tests.scenarios.shop import PEOPLE, Shop

GATE = "approve_reservation"
DEAR = {"items": [{"sku": "product-d", "quantity": 20}]}
"""6,980.00: above the limit for one signature."""


def test_an_approved_reservation_is_invoiced(shop: Shop) -> None:
    """Approved, the order goes on to step 6; the decision says who, what it meant and what exactly was signed."""
    order = shop.places_order()
    signed = order.detail(GATE, PEOPLE["stock-approver"]).approval
    assert signed is not None

    order.is_decided(GATE)

    assert 6 in order.steps()
    decision = order.variables[GATE]
    assert decision == {"decision": "approve", "comment": "", "snapshot": signed.snapshot,
                        "signed_by": ["stock-approver"]}


def test_a_reservation_that_is_sent_back_frees_the_stock_and_is_checked_again(shop: Shop) -> None:
    """Sent back to 3: the stock is released, checked and reserved anew, and the gate comes again."""
    order = shop.places_order()

    order.is_decided(GATE, "send_back", comment="Count them again.", step=3)

    assert order.steps() == [1, 2, 3, 4, 5, 3, 4]
    assert "release_stock" in order.done()
    assert shop.stock("product-a") == (380, 2), "reserved once, not twice"
    assert order.open_elements() == [GATE]
    assert order.variables["reservation"]["reference"].endswith("-2")


def test_a_page_of_an_earlier_visit_signs_nothing(shop: Shop) -> None:
    """After a send-back the reservation is another one: what was read before cannot be signed."""
    order = shop.places_order()
    old = order.detail(GATE, PEOPLE["stock-approver"]).approval
    assert old is not None
    order.is_decided(GATE, "send_back", comment="Again.", step=3)

    with pytest.raises(StaleSnapshot):
        shop.engine.decide(order.task(GATE).id, PEOPLE["stock-approver-2"], "approve", comment="",
                           snapshot=old.snapshot)

    assert order.open_elements() == [GATE]


def test_a_rejected_reservation_cancels_the_order(shop: Shop) -> None:
    """Rejected, the order is undone: stock as before, the customer told, the reason kept."""
    before = shop.shelves()
    order = shop.places_order()

    order.is_decided(GATE, "reject", comment="We do not ship to this customer.")

    assert order.status == "cancelled"
    assert shop.shelves() == before
    assert order.mails() == ["received", "cancelled"]
    assert order.variables["cancellation"]["reason"] == "Reservation rejected: We do not ship to this customer."


def test_a_reservation_that_nobody_signs_in_two_days_is_released_and_checked_again(shop: Shop) -> None:
    """Unsigned for 2 days, the goods go back to everyone; whoever is quicker gets them."""
    order = shop.places_order()
    task = order.task(GATE)
    shop.time_passes(days=1, hours=23)
    assert order.task(GATE).id == task.id

    shop.has("product-a", 2)
    shop.time_passes(hours=1)

    again = order.task(GATE)
    assert again.id != task.id
    assert shop.stock("product-a") == (2, 2)
    with pytest.raises(AlreadyDecided):
        shop.engine.decide(task.id, PEOPLE["stock-approver"], "approve", comment="", snapshot="")


def test_a_large_order_needs_two_people(shop: Shop) -> None:
    """Above 5,000.00 two distinct people sign; the first signature leaves what the second signs as it is."""
    order = shop.places_order(**DEAR)
    before = order.detail(GATE, PEOPLE["stock-approver-2"]).approval
    assert before is not None
    assert before.need == 2

    task, have, need = order.is_decided(GATE, by="stock-approver")
    assert (task.state, have, need) == ("open", 1, 2)
    after = order.detail(GATE, PEOPLE["stock-approver-2"]).approval
    assert after is not None
    assert after.snapshot == before.snapshot
    assert [s.actor for s in after.signatures] == ["stock-approver"]

    with pytest.raises(AlreadyDecided):
        order.is_decided(GATE, by="stock-approver")
    task, have, need = order.is_decided(GATE, by="stock-approver-2")

    assert (task.state, have, need) == ("done", 2, 2)
    assert order.variables[GATE]["signed_by"] == ["stock-approver", "stock-approver-2"]


def test_the_second_person_may_still_reject(shop: Shop) -> None:
    """One approval binds nobody: the second person's rejection cancels the order."""
    order = shop.places_order(**DEAR)
    order.is_decided(GATE, by="stock-approver")

    order.is_decided(GATE, "reject", comment="Too much for one customer.", by="stock-approver-2")

    assert order.status == "cancelled"


def test_an_order_at_the_limit_needs_one(shop: Shop) -> None:
    """Up to 5,000.00 one signature is enough."""
    order = shop.places_order(items=[{"sku": "product-b", "quantity": 38}])
    assert order.variables["order"]["total"] <= 500_000

    assert order.is_decided(GATE)[1:] == (1, 1)


@pytest.mark.parametrize("worker", [
    Actor("sales", frozenset({"sales", "stock-approvers"})),
    Actor("sales", frozenset({"sales", "stock-approvers"}), sees_all=True),
], ids=["operator", "admin"])
def test_whoever_took_the_order_may_not_sign_it(shop: Shop, worker: Actor) -> None:
    """Separation of duties holds for everybody, and the refused attempt stands in the history."""
    order = shop.places_order(by=PEOPLE["sales"])
    detail = order.detail(GATE, worker).approval
    assert detail is not None
    assert detail.blocked == "You worked on this order, so another person must sign it."

    with pytest.raises(SeparationOfDuties):
        shop.engine.decide(order.task(GATE).id, worker, "approve", comment="", snapshot=detail.snapshot)

    refused = [e for e in order.history() if e.kind == "signature_refused"]
    assert [(e.actor, e.element, e.detail["decision"]) for e in refused] == [("sales", GATE, "approve")]
    assert order.open_elements() == [GATE]
    assert shop.engine.verify_audit() == []


def test_whoever_settled_the_shortage_may_not_sign(shop: Shop) -> None:
    """Work on an exception counts too."""
    both = Actor("warehouse", frozenset({"warehouse", "stock-approvers"}))
    shop.has("product-a", 1)
    order = shop.places_order()
    order.answers("resolve_shortage", by=both, choice="other_region", stock_region="malaysia")

    with pytest.raises(SeparationOfDuties):
        shop.engine.decide(order.task(GATE).id, both, "approve", comment="", snapshot="")


def test_owner_and_admin_see_a_gate_and_sign_none(shop: Shop) -> None:
    """Who sees everything signs nothing; the attempt is recorded."""
    admin = Actor("admin", frozenset({"admin"}), sees_all=True)
    order = shop.places_order()
    assert order.detail(GATE, admin).approval is not None

    with pytest.raises(NotAnApprover):
        shop.engine.decide(order.task(GATE).id, admin, "approve", comment="", snapshot="")

    assert [e.actor for e in order.history() if e.kind == "signature_refused"] == ["admin"]


def test_the_other_gates_approver_does_not_even_see_this_one(shop: Shop) -> None:
    """A task of another team is not there."""
    order = shop.places_order()

    with pytest.raises(NotFound):
        shop.engine.decide(order.task(GATE).id, PEOPLE["payment-approver"], "approve", comment="", snapshot="")


def test_what_changed_since_the_page_was_opened_is_not_signed(shop: Shop) -> None:
    """The submission is composed again when it is signed; a stale page changes nothing."""
    order = shop.places_order()
    page = order.detail(GATE, PEOPLE["stock-approver"]).approval
    assert page is not None
    with shop.engine.transaction() as session:
        session.get_one(Order, order.number).customer_name = "Somebody Else"

    with pytest.raises(StaleSnapshot):
        shop.engine.decide(order.task(GATE).id, PEOPLE["stock-approver"], "approve", comment="",
                           snapshot=page.snapshot)

    assert order.open_elements() == [GATE]
    order.is_decided(GATE)


@pytest.mark.parametrize(("decision", "comment", "step", "field"), [
    ("reject", "  ", None, "/comment"),
    ("send_back", "", 3, "/comment"),
    ("send_back", "Why?", 9, "/send_back_to"),
    ("send_back", "Why?", None, "/send_back_to"),
    ("approve", "", 3, "/send_back_to"),
    ("maybe", "", None, "/decision"),
    ("reject", "a\x00b", None, "/comment"),
    ("reject", "a\ud800b", None, "/comment"),
])
def test_a_decision_is_complete(shop: Shop, decision: str, comment: str, step: int | None, field: str) -> None:
    """Reject and send back need a reason, send back a step of the list, and nothing else is a decision."""
    order = shop.places_order()

    with pytest.raises(InvalidForm) as refused:
        order.is_decided(GATE, decision, comment=comment, step=step)

    assert field in [error.field for error in refused.value.errors]
    assert order.open_elements() == [GATE]


def test_earlier_decisions_stand_beside_the_gate(shop: Shop) -> None:
    """Who signs again reads what was said the last time, and what had been submitted then."""
    order = shop.places_order()
    order.is_decided(GATE, "send_back", comment="Count them again.", step=3)

    again = order.detail(GATE, PEOPLE["stock-approver"]).approval

    assert again is not None
    assert [(s.actor, s.comment) for s in again.earlier] == [("stock-approver", "Count them again.")]
    assert again.earlier_submission is not None
    assert again.earlier_submission["reservation"] != again.submission["reservation"]
    assert again.signatures == ()
