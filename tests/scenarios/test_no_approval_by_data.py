"""No approval by editing data: incidents resolved by hand, first variables, messages, and moves to another version."""

from __future__ import annotations

from typing import Any

import pytest
from lxml import etree

from engine.codec import unpack
from engine.definitions import build_definition
from engine.errors import Conflict, ExpressionError, InvalidForm
from engine.gate_variables import gate_variables
from engine.store.tables import Instance
from engine.transfer import Obstacle, Transfer
from engine.views import Actor
from tests.drawing import BPMN, SPIFF
from tests.scenarios.conftest import SQLITE_USUALLY
from tests.scenarios.redrawing import Redrawn
from tests.scenarios.shop import OrderHandle, Shop
from tests.scenarios.test_unforeseen import broken

pytestmark = SQLITE_USUALLY
KEY, GATE, PAYMENT = "order_fulfillment", "approve_reservation", "approve_payment"
OWNER = Actor("owner", frozenset({"owner"}), sees_all=True, is_owner=True)
APPROVED: dict[str, Any] = {"decision": "approve", "signed_by": ["stock-approver"]}
LEFT_OUT = "is still ahead of the order and would be left out. Move the order when the gate is decided."


def obstacle(shop: Shop, order: OrderHandle, new: Redrawn) -> Obstacle | None:
    """What stops an order from moving to a version, also to one that the linter would refuse."""
    with shop.engine.reading() as session:
        row = session.query(Instance).filter_by(business_key=order.number).one()
        old = shop.engine.library.get(session, row.version_id)
        return Transfer(old, build_definition(99, KEY, 99, new.bundle)).obstacle(unpack(row.state), KEY)


def test_what_an_approval_hangs_on_is_known(shop: Shop) -> None:
    """The gates' own variables, the table that says how many sign, and what that table reads."""
    with shop.engine.reading() as session:
        definition = shop.engine.library.newest(session, KEY)

    assert set(gate_variables(definition, KEY)) == {GATE, PAYMENT, "approval_policy", "reservation"}
    assert gate_variables(definition, "order_cancellation") == {}, "nothing is signed while an order is undone"


def test_the_step_that_counts_orders_together_is_not_resolved_by_hand(shop: Shop) -> None:
    """Its result says how many people sign: nobody types that in. It is tried again, or the order is cancelled."""
    shop.replaces("inventory.reserve", broken)
    order, other = shop.places_order(), shop.places_order()
    stopped, = order.incidents()

    for result in ({"ordered_together": 1}, {}, None):
        with pytest.raises(Conflict, match="reservation, belongs to the approval of “Approval: Inventory Reservation”"):
            shop.engine.resolve(stopped.id, OWNER, "It is a small order.", result)
    assert shop.engine.incident(stopped.id).not_by_hand is not None
    shop.replaces("inventory.reserve", None)
    shop.engine.retry(stopped.id, OWNER)
    shop.works()

    assert order.open_elements() == [GATE]
    assert other.is_cancelled().status == "cancelled"


def test_nor_is_the_second_count(shop: Shop) -> None:
    shop.replaces("inventory.count_together", broken)
    order = shop.places_order()
    order.is_approved(GATE)
    stopped, = order.incidents()

    with pytest.raises(Conflict, match="reservation, belongs to the approval of “Approval: Inventory Reservation”"):
        shop.engine.resolve(stopped.id, OWNER, "It is a small order.", {"ordered_together": 1})

    assert order.open_elements() == []


def test_other_steps_are_resolved_by_hand_as_ever(shop: Shop) -> None:
    shop.replaces("inventory.check", broken)
    order = shop.places_order()
    stopped, = order.incidents()
    assert shop.engine.incident(stopped.id).not_by_hand is None

    shop.engine.resolve(stopped.id, OWNER, "Counted on the shelf.", {"ok": True})
    shop.works()

    assert order.open_elements() == [GATE]


def test_a_number_of_signatures_that_is_lacking_is_not_typed_in(shop: Shop) -> None:
    """The table that says how many sign cannot answer: no result that is given for the step before it does."""
    shop.replaces("inventory.count_together", lambda call: {"held": True})
    order = shop.places_order(payment_method="bank_transfer").goes_to("wait_for_transfer")
    order.pays_by_transfer()
    for _ in range(24):
        shop.time_passes(hours=1)
    stopped, = order.incidents()

    with pytest.raises(ExpressionError, match="lacks the input 'Ordered together'"):
        shop.engine.resolve(stopped.id, OWNER, "One signature will do.", {"signatures": 1, "ordered_together": 1})

    assert order.open_elements() == []
    assert [each.id for each in order.incidents()] == [stopped.id]


def test_nobody_starts_an_order_with_an_approval(shop: Shop) -> None:
    """The variables that an instance begins with hold no decision and no number of signatures."""
    given = {GATE: APPROVED, "approval_policy": {"signatures": 1}, "note": "Urgent."}

    with pytest.raises(InvalidForm) as refused:
        shop.engine.start(KEY, "WB-1", OWNER, variables=given)

    assert [error.field for error in refused.value.errors] == [f"/{GATE}", "/approval_policy"]
    with shop.engine.reading() as session:
        assert session.query(Instance).filter_by(business_key="WB-1").first() is None


def test_a_message_brings_no_approval(shop: Shop) -> None:
    """Its payload is one variable, whatever it holds."""
    order = shop.places_order(payment_method="bank_transfer").goes_to("wait_for_transfer")
    before = order.variables[GATE]

    order.hears("bank.transfer_received", amount=order.variables["invoice"]["due"], currency="USD", reference="BT-1",
                **{GATE: APPROVED, PAYMENT: APPROVED})

    assert order.variables[GATE] == before
    assert PAYMENT not in order.variables
    assert order.open_elements() == [PAYMENT]


def test_a_move_leaves_no_gate_out_that_is_still_ahead(shop: Shop) -> None:
    """Taken away, or drawn before the place where the order stands; one that is behind the order may be gone."""
    order = shop.places_order(payment_method="bank_transfer").goes_to("wait_for_transfer")
    gate = etree.fromstring(
        f'<b:userTask xmlns:b="{BPMN[1:-1]}" xmlns:s="{SPIFF[1:-1]}" id="{PAYMENT}" name="Before"><b:extensionElements>'
        '<s:properties><s:property name="kind" value="approval"/></s:properties></b:extensionElements></b:userTask>'
    )
    gone = Redrawn().takes_out(PAYMENT)
    before = Redrawn().takes_out(PAYMENT).inserts(gate, after="reserve_inventory")

    found = [obstacle(shop, order, new) for new in (gone, before, Redrawn().takes_out(GATE))]

    assert [each and (each.element, each.why.removeprefix("“Approval: Payment Processing” ")) for each in found] == [
        (PAYMENT, LEFT_OUT), (PAYMENT, LEFT_OUT), None,
    ]


def test_the_order_is_told_so_before_it_is_moved_and_when(shop: Shop) -> None:
    """The preview counts it among those that cannot move, the move refuses it, and the gate is signed as before."""
    order = shop.places_order()
    other_gate = Redrawn().renames(PAYMENT, "approve_money")
    asked, = shop.engine.propose(other_gate.bundle, Actor("analyst", frozenset({"analysts"})), reason="Name",
                                 base_version=1)
    shop.engine.consent(asked.key, asked.version, Actor("analyst-2", frozenset({"analysts"})))

    assert [group.kind for group in shop.engine.impact(KEY, asked.version).groups] == ["cannot"]
    moved = shop.engine.migrate(KEY, asked.version, OWNER, reason="Name")
    shop.works()
    said, = shop.engine.migration(moved.id).items.items

    assert (said.state, said.why) == ("refused", f"“Approval: Payment Processing” {LEFT_OUT}")
    order.is_approved(GATE)
    assert order.open_elements() == [PAYMENT]
