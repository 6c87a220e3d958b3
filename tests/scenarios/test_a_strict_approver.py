"""What a strict approver would test: 18 points, each in plain words, through the real commands."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pypdf import PdfReader

import app
from engine import Bundle
from engine.approvals import MOST_AT_ONCE
from engine.errors import (
    AlreadyDecided,
    AlreadyDone,
    Conflict,
    EngineError,
    InvalidForm,
    NotAllowed,
    NotAnApprover,
    NotFound,
    OwnVersion,
    SeparationOfDuties,
    StaleSnapshot,
    TakenByAnother,
)
from engine.store.tables import Delegation, Instance, Signature
from engine.views import Actor, Amount, Approval, DelegationView, EventView
from handlers.archive import so_far
from handlers.documents import Renderer
from handlers.tables import Order
from tests.scenarios.conftest import SQLITE_USUALLY
from tests.scenarios.redrawing import Redrawn
from tests.scenarios.shop import PEOPLE, OrderHandle, Shop
from tests.scenarios.test_migration import deploys, moves
from web.accounts import User

pytestmark = SQLITE_USUALLY
GATE, PAYMENT = "approve_reservation", "approve_payment"
HELENA = replace(PEOPLE["stock-approver"], display_name="Helena Brandt")
RAVI = replace(PEOPLE["stock-approver-2"], display_name="Ravi Menon")
GRACE = replace(PEOPLE["payment-approver"], display_name="Grace Okafor")
OWNER = Actor("owner", frozenset({"owner"}), sees_all=True, display_name="Dana Levy", is_owner=True)
ADMIN = Actor("admin", frozenset({"admin"}), sees_all=True, display_name="Tomas Ibarra", is_administrator=True)
DEAR: dict[str, Any] = {"items": [{"sku": "product-d", "quantity": 20}]}
"""6,980.00: two people sign."""
HALF: dict[str, Any] = {"items": [{"sku": "product-d", "quantity": 10}]}
"""3,490.00: one person signs; two such orders are above the limit."""
EMERGENCY = "Both approvers are in hospital after the accident."


def read(order: OrderHandle, who: Actor, gate: str = GATE) -> Approval:
    found = order.detail(gate, who).approval
    assert found is not None
    return found


def sign(order: OrderHandle, who: Actor, gate: str = GATE, decision: Any = "approve", **more: Any) -> Any:
    """Reads the gate and signs what is read."""
    task = order.task(gate)
    more = {"comment": "", "snapshot": read(order, who, gate).snapshot, **more}
    signed = order.engine.decide(task.id, who, decision, **more)
    order.shop.works()
    return signed


def events(order: OrderHandle, kind: str) -> list[EventView]:
    return [event for event in order.history() if event.kind == kind]


def renamed(order: OrderHandle, name: str) -> None:
    """Somebody changes what is signed, behind the gate's back."""
    with order.engine.transaction() as session:
        session.get_one(Order, order.number).customer_name = name


def lends(shop: Shop, **changes: Any) -> DelegationView:
    """Helena lends Grace her right to sign, for two days."""
    now = shop.clock.now()
    terms = {"principal": "stock-approver", "to": "payment-approver", "team": "stock-approvers", "starts_at": now,
             "ends_at": now + timedelta(days=2), "reason": "Holidays", **changes}
    return shop.engine.delegate(terms.pop("by", HELENA), **terms)


class Test1WhoPreparesDoesNotApprove:
    """(1) Preparer is not approver, per order."""

    def test_whoever_did_a_task_of_an_order_signs_other_orders_and_not_that_one(self, shop: Shop) -> None:
        both = Actor("sales", frozenset({"sales", "stock-approvers"}))
        mine, other = shop.places_order(by=both), shop.places_order(by=HELENA)

        with pytest.raises(SeparationOfDuties):
            sign(mine, both)
        sign(other, both)

        assert mine.open_elements() == [GATE]
        assert 6 in other.steps()

    @pytest.mark.parametrize("typed_anew", [False, True], ids=["completed as it was", "changed by who completed it"])
    def test_whoever_wrote_a_draft_with_which_a_task_was_done_worked_on_it(
        self, shop: Shop, *, typed_anew: bool
    ) -> None:
        """Neither a colleague who completes it, nor a later draft of theirs, makes it another's work alone."""
        max_ = Actor("max", frozenset({"sales", "stock-approvers"}))
        order = shop.places_order(phone="12")
        task = order.task("correct_details").id
        typed = dict(order.detail("correct_details", max_).form["examples"][0])
        typed = {**{k: v for k, v in typed.items() if k != "reason"}, "confirm_as_is": False, "phone": "+49 30 901820"}
        shop.engine.save_task_draft(task, max_, typed, claim=True)
        shop.engine.release(task, max_)
        if typed_anew:
            typed = {**typed, "phone": "+49 30 901821"}
            shop.engine.save_task_draft(task, PEOPLE["sales"], typed)
        shop.engine.complete(task, PEOPLE["sales"], typed)
        shop.works()

        assert {"max", "sales"} <= set(read(order, HELENA).workers)
        assert "You worked on this order" in str(read(order, max_).blocked)
        with pytest.raises(SeparationOfDuties):
            sign(order, max_)
        assert [e.detail.get("draft_by") for e in events(order, "completed") if e.element == "correct_details"] == [
            ["max"]]

    def test_a_draft_of_a_task_that_is_not_done_is_no_work(self, shop: Shop) -> None:
        """A gate's comment is typed as a draft too, and belongs to who signs it."""
        order = shop.places_order()
        shop.engine.save_task_draft(order.task(GATE).id, HELENA, {"comment": "Looks good."})

        sign(order, HELENA)

        assert 6 in order.steps()


class TestNothingIsLentTwice:
    """Revoking a delegation ends it, because there is no second one beside it."""

    @pytest.mark.parametrize("again", [{}, {"gates": [GATE]}, {"ends_at_days": 1}, {"starts_at_days": 1}])
    def test_the_same_right_is_not_lent_again_while_it_is_lent(self, shop: Shop, again: dict[str, Any]) -> None:
        first = lends(shop)
        now = shop.clock.now()
        terms = {name.removesuffix("_days"): now + timedelta(days=value) if name.endswith("_days") else value
                 for name, value in again.items()}

        with pytest.raises(InvalidForm, match="Revoke that delegation first"):
            lends(shop, **terms)
        assert len(shop.engine.delegations(HELENA, state="running")) == 1

        shop.engine.revoke_delegation(first.id, HELENA)
        lends(shop, **terms)

    def test_what_is_lent_in_any_order_never_overlaps(self, shop: Shop) -> None:
        """Of every pair of a time with a time, in days from now."""
        now = shop.clock.now()
        for start, end in ((0, 2), (1, 3), (2, 4), (3, 5), (0, 9), (4, 6), (8, 9), (5, 8), (6, 8)):
            with contextlib.suppress(InvalidForm):
                lends(shop, starts_at=now + timedelta(days=start), ends_at=now + timedelta(days=end))

        rows = sorted((each.starts_at, each.ends_at) for each in shop.engine.delegations(HELENA))
        assert len(rows) == 5
        assert all(ends <= starts for (_, ends), (starts, _) in itertools.pairwise(rows))


class Test2NoApprovalByEditingData:
    """(2) No approval by editing data; an emergency override needs a reason, raises an alarm and leaves a mark."""

    def test_no_variable_that_somebody_brings_opens_a_gate(self, shop: Shop) -> None:
        order = shop.places_order()
        for name in (GATE, "stock.arrived"):
            order.hears(name, decision="approve")
        task = order.task(GATE)
        shop.engine.save_task_draft(task.id, HELENA, {"decision": "approve"})
        with pytest.raises(InvalidForm):
            shop.engine.complete(task.id, HELENA, {"decision": "approve"})

        assert order.open_elements() == [GATE]
        assert GATE not in order.variables

    def test_an_approval_that_stands_in_the_variables_alone_sends_no_goods_out(self, shop: Shop) -> None:
        """What counts before the courier is booked are the signatures."""
        order = shop.places_order().goes_to("package_products")
        with shop.engine.transaction() as session:
            for row in session.query(Signature).filter_by(element=PAYMENT):
                session.delete(row)

        order.does("package_products")

        assert [job.error for job in order.incidents()] == [
            "The gate “Approval: Payment Processing” has not been approved."
        ]
        with pytest.raises(Conflict, match="stands in for an approval"):
            shop.engine.resolve(order.incidents()[0].id, OWNER, "I know that it was approved.", {})

    @pytest.mark.parametrize("change", [
        {"decision": "send_back"}, {"void_at": datetime(2026, 11, 23, tzinfo=UTC), "void_why": "Something changed."},
    ], ids=["another decision", "void"])
    def test_nor_does_a_signature_that_approves_nothing(self, shop: Shop, change: dict[str, Any]) -> None:
        order = shop.places_order().goes_to("package_products")
        with shop.engine.transaction() as session:
            for row in session.query(Signature).filter_by(element=PAYMENT):
                for name, value in change.items():
                    setattr(row, name, value)

        order.does("package_products")

        assert [job.error for job in order.incidents()] == [
            "The gate “Approval: Payment Processing” has not been approved."
        ]

    def test_the_owner_opens_a_gate_in_an_emergency_and_everybody_sees_it(self, shop: Shop) -> None:
        order = shop.places_order()
        task, page = order.task(GATE), read(order, OWNER)
        assert page.can_override
        with pytest.raises(InvalidForm, match="at least 20 characters"):
            shop.engine.override(task.id, OWNER, reason="Hurry.", snapshot=page.snapshot)
        for nobody in (HELENA, ADMIN):
            with pytest.raises(NotAllowed):
                shop.engine.override(task.id, nobody, reason=EMERGENCY, snapshot=page.snapshot)

        done = shop.engine.override(task.id, OWNER, reason=EMERGENCY, snapshot=page.snapshot)

        assert done.state == "done"
        assert order.variables[GATE]["emergency"] is True
        signed = shop.engine.task(task.id, HELENA).approval
        assert signed is not None
        assert [(s.actor, s.emergency, s.comment) for s in signed.signatures] == [("owner", True, EMERGENCY)]
        assert [e.detail["reason"] for e in events(order, "override")] == [EMERGENCY]
        assert [e.actor for e in events(order, "signature_refused")] == ["owner", "stock-approver", "admin"]
        assert shop.engine.journal().items[0].kind == "gate_overridden"

    def test_the_alarm_stays_until_somebody_else_has_looked_at_it(self, shop: Shop) -> None:
        order = shop.places_order()
        shop.engine.override(order.task(GATE).id, OWNER, reason=EMERGENCY, snapshot=read(order, OWNER).snapshot)
        alarm, = shop.engine.alarms(HELENA)
        assert (alarm.order, alarm.raised_by, alarm.why) == (order.number, "owner", EMERGENCY)
        assert shop.engine.alarms(GRACE) == [], "it is about another team's gate"

        with pytest.raises(NotAllowed):
            shop.engine.acknowledge_alarm(alarm.id, OWNER, "All in order.")
        with pytest.raises(InvalidForm):
            shop.engine.acknowledge_alarm(alarm.id, HELENA, "  ")
        shop.engine.acknowledge_alarm(alarm.id, HELENA, "I have looked at the reservation: it is right.")

        assert shop.engine.alarms(OWNER) == []
        with pytest.raises(Conflict):
            shop.engine.acknowledge_alarm(alarm.id, RAVI, "I too.")

    def test_an_emergency_needs_a_fresh_page_an_open_gate_and_an_owner_who_does_not_sign_it(self, shop: Shop) -> None:
        order = shop.places_order()
        task, page = order.task(GATE), read(order, OWNER)
        with pytest.raises(NotAllowed, match="sign it"):
            shop.engine.override(task.id, replace(OWNER, teams=frozenset({"owner", "stock-approvers"})),
                                 reason=EMERGENCY, snapshot=page.snapshot)
        renamed(order, "Somebody Else")
        with pytest.raises(StaleSnapshot):
            shop.engine.override(task.id, OWNER, reason=EMERGENCY, snapshot=page.snapshot)
        sign(order, HELENA)

        with pytest.raises(AlreadyDecided):
            shop.engine.override(task.id, OWNER, reason=EMERGENCY, snapshot=page.snapshot)

    def test_an_owner_who_worked_on_the_order_opens_nothing(self, shop: Shop) -> None:
        worker = replace(OWNER, teams=frozenset({"owner", "sales"}))
        order = shop.places_order(by=worker)

        with pytest.raises(SeparationOfDuties):
            shop.engine.override(order.task(GATE).id, worker, reason=EMERGENCY, snapshot="")


class Test3ThreeDecisions:
    """(3) Approve, reject, send back; the last two with a comment, send back names a step."""

    @pytest.mark.parametrize(("decision", "comment", "step", "field"), [
        ("reject", "", None, "/comment"), ("send_back", "", 3, "/comment"),
        ("send_back", "Why?", None, "/send_back_to"), ("send_back", "Why?", 9, "/send_back_to"),
    ])
    def test_an_incomplete_decision_decides_nothing(
        self, shop: Shop, decision: str, comment: str, step: int | None, field: str
    ) -> None:
        order = shop.places_order()

        with pytest.raises(InvalidForm) as refused:
            sign(order, HELENA, decision=decision, comment=comment, send_back_to=step)

        assert [error.field for error in refused.value.errors] == [field]
        assert order.open_elements() == [GATE]

    def test_each_leads_its_own_way(self, shop: Shop) -> None:
        approved, back, rejected = shop.places_order(), shop.places_order(), shop.places_order()

        sign(approved, HELENA)
        sign(back, HELENA, decision="send_back", comment="Count again.", send_back_to=3)
        sign(rejected, HELENA, decision="reject", comment="We do not ship there.")

        assert 6 in approved.steps()
        assert back.steps() == [1, 2, 3, 4, 5, 3, 4]
        assert rejected.status == "cancelled"


class Test4AChangeVoidsTheApproval:
    """(4) Any change of approved data voids the approval and says so."""

    def test_the_first_of_two_signatures_falls_void_and_may_be_given_anew(self, shop: Shop) -> None:
        order = shop.places_order(**DEAR)
        sign(order, HELENA)
        renamed(order, "Somebody Else")
        page = read(order, RAVI)
        assert page.signatures == ()
        assert [(s.actor, s.void_why) for s in page.void] == [
            ("stock-approver", "What was signed has changed: customer.")
        ]

        assert sign(order, RAVI)[1:] == (1, 2), "the signature for something else does not count"
        void, = events(order, "signature_void")
        assert (void.detail["by"], void.detail["why"]) == ("stock-approver", "What was signed has changed: customer.")
        assert sign(order, HELENA)[1:] == (2, 2)
        assert order.variables[GATE]["signed_by"] == ["stock-approver-2", "stock-approver"]

    def test_a_page_that_is_stale_voids_it_at_once(self, shop: Shop) -> None:
        """Whoever finds out need not sign: from then on the history says that the first signature is none."""
        order = shop.places_order(**DEAR)
        sign(order, HELENA)
        old = read(order, RAVI).snapshot
        renamed(order, "Somebody Else")

        with pytest.raises(StaleSnapshot):
            sign(order, RAVI, snapshot=old)

        assert [e.detail["by"] for e in events(order, "signature_void")] == ["stock-approver"]
        renamed(order, "Greta Meier")
        assert read(order, RAVI).signatures == (), "void stays void"

    def test_what_changes_after_the_gate_stops_the_order_before_the_goods_go_out(self, shop: Shop) -> None:
        order = shop.places_order().goes_to("package_products")
        renamed(order, "Somebody Else")

        order.does("package_products")

        stopped, = order.incidents()
        why = "The approval of “Approval: Inventory Reservation” is void. What was signed has changed: customer."
        assert stopped.error == why
        assert [e.detail["why"] for e in events(order, "approval_void")] == [why]
        assert "booking" not in order.variables

        renamed(order, "Greta Meier")
        shop.engine.retry(stopped.id, OWNER)
        shop.works()
        assert "booking" in order.variables, "put right again, what was signed holds"

    def test_an_order_whose_approval_is_void_can_still_be_cancelled(self, shop: Shop) -> None:
        order = shop.places_order().goes_to("package_products")
        renamed(order, "Somebody Else")
        order.does("package_products")

        order.is_cancelled()

        assert order.status in ("cancelling", "cancelled")


class Test5TheSnapshotBinds:
    """(5) The decision is bound to a snapshot hash; a stale page is refused (409)."""

    def test_what_was_read_is_what_is_signed(self, shop: Shop) -> None:
        order = shop.places_order()
        page = read(order, HELENA)
        renamed(order, "Somebody Else")

        with pytest.raises(StaleSnapshot):
            sign(order, HELENA, snapshot=page.snapshot)

        assert order.open_elements() == [GATE]
        sign(order, HELENA)
        assert order.variables[GATE]["snapshot"] != page.snapshot


class Test6TheRecordOfASignature:
    """(6) Printed name, time and meaning stand in the record; and proof, version, and for whom."""

    def test_a_signature_says_who_when_what_and_how(self, shop: Shop) -> None:
        order = shop.places_order()
        task = order.task(GATE)

        sign(order, HELENA, proof="password and code")

        shown = shop.engine.task(task.id, RAVI).approval
        assert shown is not None
        signature, = shown.signatures
        assert (signature.printed_name, signature.meaning, signature.proof, signature.version) == (
            "Helena Brandt", "I have checked what is submitted from steps 3 and 4 and approve it.",
            "password and code", 1,
        )
        assert signature.at == shop.clock.now()
        said = next(e for e in order.history() if e.element == GATE and e.kind == "completed").detail
        assert (said["printed_name"], said["meaning"], said["proof"]) == (
            signature.printed_name, signature.meaning, signature.proof
        )


class Test7ThePasswordAgain:
    """(7) Password again at signing, and a code where the person has one. Pages and API ask; see tests/web."""

    def test_the_record_says_with_what_the_person_proved_who_they_are(self, shop: Shop) -> None:
        order = shop.places_order()
        sign(order, HELENA)

        decided = next(e for e in order.history() if e.element == GATE and e.kind == "completed")
        assert decided.detail["proof"] == "password"


class Test8TheAuditTrail:
    """(8) Audit generated by the system, old values kept, append-only, chained, verifiable."""

    def test_a_changed_line_is_found(self, shop: Shop) -> None:
        order = shop.places_order()
        sign(order, HELENA, decision="send_back", comment="Count again.", send_back_to=3)
        sign(order, RAVI)
        assert shop.engine.verify_audit() == []
        decided = [e for e in order.history() if e.element == GATE and e.kind == "completed"]
        assert decided[1].before[GATE]["decision"] == "send_back", "the old value is kept"

        with shop.engine.transaction() as session:
            session.query(Instance).filter_by(business_key=order.number).one().head = "0" * 64

        assert shop.engine.verify_audit() != []


class Test9RefusedAttemptsAreRecorded:
    """(9) Refused attempts of every kind are recorded, with who and why."""

    def test_each_kind_of_refusal_stands_in_the_history(self, shop: Shop) -> None:
        sales = Actor("sales", frozenset({"sales", "stock-approvers"}))
        order = shop.places_order(by=sales, **DEAR)
        task, snapshot = order.task(GATE), read(order, HELENA).snapshot
        attempts: list[tuple[Actor, str, type[EngineError]]] = [
            (GRACE, snapshot, NotFound), (ADMIN, snapshot, NotAnApprover), (sales, snapshot, SeparationOfDuties),
            (HELENA, "old", StaleSnapshot),
        ]
        for who, given, refusal in attempts:
            with pytest.raises(refusal):
                shop.engine.decide(task.id, who, "approve", comment="", snapshot=given)
        sign(order, HELENA)
        with pytest.raises(AlreadyDecided):
            sign(order, HELENA)
        shop.engine.signing_refused(task.id, RAVI, "The password was wrong.")

        refused = events(order, "signature_refused")
        assert [e.actor for e in refused] == [
            "payment-approver", "admin", "sales", "stock-approver", "stock-approver", "stock-approver-2"
        ]
        assert all(e.detail["why"] for e in refused)
        assert shop.engine.verify_audit() == []


class Test10SequenceAndAuthority:
    """(10) Sequence and authority hold on direct calls."""

    def test_no_other_command_moves_a_gate(self, shop: Shop) -> None:
        order = shop.places_order()
        task = order.task(GATE)
        calls: list[Callable[[Actor], object]] = [
            lambda w: shop.engine.complete(task.id, w, {}), lambda w: shop.engine.claim(task.id, w),
            lambda w: shop.engine.save_task_draft(task.id, w, {}),
            lambda w: shop.engine.take_over(task.id, w, "Mine."),
        ]
        for who, refusal in ((GRACE, NotFound), (PEOPLE["sales"], NotFound), (ADMIN, NotAllowed)):
            for call in calls:
                with pytest.raises(refusal):
                    call(who)
        with pytest.raises(InvalidForm):
            shop.engine.assign(task.id, HELENA, GRACE)

        assert order.open_elements() == [GATE]

    def test_a_gate_is_signed_neither_before_its_step_nor_after_it(self, shop: Shop) -> None:
        order = shop.places_order()
        task, snapshot = order.task(GATE), read(order, HELENA).snapshot
        assert PAYMENT not in order.open_elements(), "the payment's gate is not there before its step"
        sign(order, HELENA)
        with pytest.raises(AlreadyDecided):
            shop.engine.decide(task.id, RAVI, "reject", comment="No.", snapshot=snapshot)
        with pytest.raises(NotFound):
            shop.engine.decide("00000000-0000-0000-0000-000000000000", RAVI, "approve", comment="", snapshot=snapshot)

    def test_a_gate_of_a_cancelled_order_is_signed_no_more(self, shop: Shop) -> None:
        order = shop.places_order()
        task, snapshot = order.task(GATE), read(order, HELENA).snapshot
        order.is_cancelled()

        with pytest.raises(AlreadyDecided):
            shop.engine.decide(task.id, HELENA, "approve", comment="", snapshot=snapshot)
        with pytest.raises(AlreadyDone):
            shop.engine.claim(task.id, HELENA)


class Test11Thresholds:
    """(11) Thresholds ask for a second, distinct person; splitting an order does not evade them."""

    def test_a_large_order_needs_two_people(self, shop: Shop) -> None:
        order = shop.places_order(**DEAR)
        assert sign(order, HELENA)[1:] == (1, 2)
        with pytest.raises(AlreadyDecided, match="You have signed this gate"):
            sign(order, HELENA)
        assert sign(order, RAVI)[1:] == (2, 2)

    @pytest.mark.parametrize("disguise", [
        {}, {"email": " Greta+second@MEIER.example", "street": "Another Street 1", "postal_code": "10119"},
        {"email": "other@else.example", "name": "G. Meier", "street": "unter den linden, 77"},
    ], ids=["the same", "the same e-mail", "the same address"])
    def test_two_halves_count_as_one_order(self, shop: Shop, disguise: dict[str, Any]) -> None:
        first = shop.places_order(**HALF)
        second = shop.places_order(**HALF, **disguise)

        page = read(second, HELENA)

        assert page.need == 2
        assert page.submission["together_with"] == [first.number]
        assert page.submission["value_together"]["amount"] == 698_000

    def test_other_customers_cancelled_orders_and_last_weeks_do_not_count(self, shop: Shop) -> None:
        shop.places_order(**HALF).is_cancelled()
        shop.places_order(**HALF, email="ann@else.example", street="Ring 1", postal_code="50667", city="Köln")
        assert read(shop.places_order(**HALF), HELENA).need == 1
        shop.time_passes(days=8)

        assert read(shop.places_order(**HALF), HELENA).need == 1

    def test_what_is_ordered_after_the_first_gate_counts_at_the_second(self, shop: Shop) -> None:
        """The first gate's signature stays what it was: it was given for what was known then."""
        order = shop.places_order(**HALF)
        assert sign(order, HELENA)[1:] == (1, 1)
        order.goes_to(PAYMENT)
        sign(order, GRACE, PAYMENT, decision="send_back", comment="Invoice it again.", send_back_to=6)
        later = [shop.places_order(items=[{"sku": "product-d", "quantity": 3}]) for _ in range(2)]
        assert read(order, GRACE, PAYMENT).need == 1, "counted when it was sent back, before they ordered more"
        sign(order, GRACE, PAYMENT, decision="send_back", comment="And again.", send_back_to=7)

        page = read(order, GRACE, PAYMENT)

        assert (page.need, page.submission["together_with"]) == (2, [each.number for each in later])
        assert page.submission["value_together"]["amount"] == 349_000 + 2 * 104_700
        assert sign(order, GRACE, PAYMENT)[1:] == (1, 2)
        order.is_decided(PAYMENT, by="payment-approver-2")
        order.goes_to("confirm_pickup")
        assert not events(order, "approval_void")

    def test_what_is_cancelled_after_the_first_gate_counts_no_more(self, shop: Shop) -> None:
        other, order = shop.places_order(**HALF), shop.places_order(**HALF)
        sign(order, HELENA)
        other.is_cancelled()
        sign(order, RAVI)

        page = read(order, GRACE, PAYMENT)

        assert page.need == 1
        assert "together_with" not in page.submission
        assert order.goes_to("confirm_pickup").variables["reservation"]["at_reservation"]["together_with"] == [
            other.number
        ]

    def test_an_order_that_began_before_orders_were_counted_is_counted(self, shop: Shop) -> None:
        """Moved to the version that counts, with the reservation of a version that did not."""
        uncounted = deploys(shop, Redrawn().takes_out("count_together").reads("approval_policy", "order.total"))
        reserve = shop.shipped("inventory.reserve")
        shop.replaces("inventory.reserve", lambda call, region: {
            key: value for key, value in reserve(call, region).items() if key in ("held", "picked", "reference")
        })
        old = shop.places_order(**HALF, payment_method="bank_transfer")
        shop.replaces("inventory.reserve", None)
        sign(old, HELENA)
        other = shop.places_order(**HALF)
        assert (old.instance.version, "ordered_together" in old.variables["reservation"]) == (uncounted, False)

        assert moves(shop, deploys(shop, Redrawn().sets(PAYMENT, due="PT4H")), old) == [("moved", "")]
        old.pays_by_transfer()

        page = read(old, GRACE, PAYMENT)
        assert (page.need, page.submission["together_with"]) == (2, [other.number])
        assert not old.goes_to("confirm_pickup").incidents()


class Test12Delegation:
    """(12) Delegation: dated, scoped, revocable, unchained, both people checked, “B for A” written."""

    def test_b_signs_for_a_and_the_record_says_so(self, shop: Shop) -> None:
        order = shop.places_order()
        task = order.task(GATE)
        lends(shop)
        assert task.id in [t.id for t in shop.engine.tasks(GRACE).items]
        assert shop.engine.task_counts(GRACE)["team:stock-approvers"] == 1

        sign(order, GRACE)

        shown = shop.engine.task(task.id, HELENA).approval
        assert shown is not None
        signature, = shown.signatures
        assert (signature.actor, signature.on_behalf_of) == ("payment-approver", "stock-approver")
        assert signature.meaning.endswith("for Helena Brandt.")
        assert next(e for e in order.history() if e.element == GATE and e.kind == "completed"
                    ).detail["on_behalf_of"] == "stock-approver"
        assert shop.engine.journal().items[0].kind == "delegated"

    def test_it_is_dated(self, shop: Shop) -> None:
        now = shop.clock.now()
        for wrong in ({"ends_at": now + timedelta(days=91)}, {"ends_at": now}, {"reason": " "}):
            with pytest.raises(InvalidForm):
                lends(shop, **wrong)
        order = shop.places_order()
        lends(shop, starts_at=now + timedelta(hours=1), ends_at=now + timedelta(hours=2))
        with pytest.raises(NotFound):
            sign(order, GRACE)
        shop.time_passes(hours=1)
        assert read(order, GRACE).acts_for == "stock-approver"
        shop.time_passes(hours=1)
        with pytest.raises(NotFound):
            sign(order, GRACE)

    def test_it_is_scoped(self, shop: Shop) -> None:
        with pytest.raises(InvalidForm):
            lends(shop, gates=[PAYMENT])
        with pytest.raises(InvalidForm):
            lends(shop, team="payment-approvers")
        lends(shop, gates=[GATE])
        order = shop.places_order()
        assert read(order, GRACE).blocked is None
        with shop.engine.transaction() as session:
            session.query(Delegation).one().gates = "another_gate"
        with pytest.raises(NotFound):
            sign(order, GRACE)
        lends(shop, to="finance")
        sign(order, HELENA)
        with pytest.raises(NotFound):
            sign(order, PEOPLE["finance"], PAYMENT)

    def test_either_revokes_it_at_once_and_nobody_else(self, shop: Shop) -> None:
        order, lent = shop.places_order(), lends(shop)
        with pytest.raises(NotFound):
            shop.engine.revoke_delegation(lent.id, RAVI)
        shop.engine.revoke_delegation(lent.id, GRACE)

        with pytest.raises(NotFound):
            sign(order, GRACE)
        assert shop.engine.journal().items[0].kind == "delegation_revoked"
        with pytest.raises(Conflict):
            shop.engine.revoke_delegation(lent.id, HELENA)

    def test_nobody_passes_it_on_and_nobody_lends_for_others(self, shop: Shop) -> None:
        lends(shop)
        with pytest.raises(InvalidForm):
            lends(shop, by=GRACE, principal="payment-approver", to="finance")
        with pytest.raises(NotAllowed):
            lends(shop, by=GRACE, to="finance")
        made = lends(shop, by=ADMIN, to="finance")
        assert made.made_by == "admin"

    def test_both_people_are_looked_at_when_it_is_signed(self, shop: Shop) -> None:
        worked = shop.places_order(by=Actor("stock-approver", frozenset({"sales"})))
        also = shop.places_order(by=Actor("payment-approver", frozenset({"sales"})))
        free = shop.places_order()
        lends(shop)
        with pytest.raises(NotAnApprover, match="worked on this order"):
            sign(worked, GRACE)
        with pytest.raises(SeparationOfDuties):
            sign(also, GRACE)
        with shop.engine.transaction() as session:
            session.get_one(User, "stock-approver").active = False
        with pytest.raises(NotAnApprover, match="may not sign this gate any more"):
            sign(free, GRACE)
        assert events(free, "signature_refused")[0].actor == "payment-approver"

    @pytest.mark.parametrize("change", [{"active": False}, {"teams": ["owner"]}], ids=["gone", "sees all"])
    def test_who_may_not_take_a_delegation_any_more_uses_none(self, shop: Shop, change: dict[str, Any]) -> None:
        """Also in the moment before they are signed out."""
        order = shop.places_order()
        lends(shop)
        with shop.engine.transaction() as session:
            for name, value in change.items():
                setattr(session.get_one(User, "payment-approver"), name, value)

        with pytest.raises(NotAnApprover, match="You may not sign for others any more"):
            sign(order, GRACE)

    def test_the_principal_s_team_is_looked_at_too(self, shop: Shop) -> None:
        order = shop.places_order()
        lends(shop)
        with shop.engine.transaction() as session:
            session.get_one(User, "stock-approver").teams = ["sales"]

        with pytest.raises(NotAnApprover, match="may not sign this gate any more"):
            sign(order, GRACE)

    def test_a_and_b_count_as_one_person(self, shop: Shop) -> None:
        first, second = shop.places_order(**DEAR), shop.places_order(**DEAR, email="x@y.example", street="Ring 1",
                                                                     postal_code="50667", city="Köln")
        lends(shop)
        sign(first, HELENA)
        with pytest.raises(AlreadyDecided):
            sign(first, GRACE)
        sign(second, GRACE)
        with pytest.raises(AlreadyDecided):
            sign(second, HELENA)
        assert sign(second, RAVI)[1:] == (2, 2)

    @pytest.mark.parametrize(("limit", "below"), [
        (Amount(349_000, "USD"), True), (Amount(348_999, "USD"), False), (Amount(900_000, "EUR"), False),
    ], ids=["at the amount", "a cent below", "another currency"])
    def test_it_may_have_an_upper_amount(self, shop: Shop, limit: Amount, below: bool) -> None:
        order = shop.places_order(**HALF)
        lent = lends(shop, up_to=limit)
        page = read(order, GRACE)
        assert shop.engine.journal().items[0].detail["up_to"] == {"amount": limit.amount, "currency": limit.currency}

        if below:
            assert (page.blocked, page.up_to) == (None, limit)
            assert sign(order, GRACE)[1:] == (1, 1)
            return
        why = "This order is above the amount up to which you sign for Helena Brandt."
        assert page.blocked == why
        for decision in ("approve", "reject", "send_back"):
            with pytest.raises(NotAnApprover, match=why):
                sign(order, GRACE, decision=decision, comment="No.")
        assert [e.detail["why"] for e in events(order, "signature_refused")] == [why] * 3
        shop.engine.revoke_delegation(lent.id, HELENA)
        lends(shop, reason="Without a limit")
        assert sign(order, GRACE)[1:] == (1, 1), "another delegation covers it"

    def test_b_claims_what_they_may_sign_and_nothing_else(self, shop: Shop) -> None:
        """A claim tells the others that somebody reads it; it keeps nobody from signing."""
        order, packing = shop.places_order(), shop.places_order().goes_to("package_products")
        task = order.task(GATE)
        with pytest.raises(NotFound):
            shop.engine.claim(task.id, GRACE)
        lent = lends(shop)

        assert shop.engine.claim(task.id, GRACE).assignee == "payment-approver"
        assert events(order, "claimed")[0].actor == "payment-approver"
        with pytest.raises(TakenByAnother):
            shop.engine.claim(task.id, HELENA)
        assert shop.engine.take_over(task.id, HELENA, "I am back.").assignee == "stock-approver"
        assert shop.engine.assign(task.id, HELENA, GRACE).assignee == "payment-approver"
        assert shop.engine.release(task.id, GRACE).assignee is None
        with pytest.raises(NotFound):
            shop.engine.claim(packing.task("package_products").id, GRACE)
        with pytest.raises(NotAllowed):
            shop.engine.claim(task.id, ADMIN)
        shop.engine.claim(task.id, GRACE)
        shop.engine.revoke_delegation(lent.id, HELENA)
        with pytest.raises(NotFound):
            shop.engine.release(task.id, GRACE)
        sign(order, RAVI)
        assert 6 in order.steps()

    def test_what_is_ordered_together_counts_against_that_amount(self, shop: Shop) -> None:
        shop.places_order(**HALF)
        order = shop.places_order(**HALF)
        lends(shop, up_to=Amount(400_000, "USD"))

        with pytest.raises(NotAnApprover, match="above the amount"):
            sign(order, GRACE)

    def test_at_the_payment_the_invoice_counts(self, shop: Shop) -> None:
        """Tax is part of it."""
        order = shop.places_order(**HALF).goes_to(PAYMENT)
        total = order.variables["invoice"]["total"]
        assert total > 349_000
        to = {"by": GRACE, "principal": "payment-approver", "to": "stock-approver", "team": "payment-approvers"}
        lent = lends(shop, **to, up_to=Amount(total - 1, "USD"))
        assert read(order, HELENA, PAYMENT).blocked is not None
        shop.engine.revoke_delegation(lent.id, GRACE)
        lends(shop, **to, up_to=Amount(total, "USD"))
        assert read(order, HELENA, PAYMENT).blocked == "You worked on this order, so another person must sign it."

    def test_an_amount_that_is_none_is_refused(self, shop: Shop) -> None:
        for wrong, field in ((Amount(0, "USD"), "/up_to/amount"), (Amount(10**16, "USD"), "/up_to/amount"),
                             (Amount(1, "usd"), "/up_to/currency")):
            with pytest.raises(InvalidForm) as refused:
                lends(shop, up_to=wrong)
            assert [each.field for each in refused.value.errors] == [field]


class Test13NeverByTime:
    """(13) Reminder, then supervisor, never approval by time."""

    def test_an_unsigned_gate_reminds_then_goes_to_the_supervisor_and_is_never_approved(self, shop: Shop) -> None:
        order = shop.places_order()
        shop.time_passes(hours=8, minutes=1)
        assert [e.detail["team"] for e in events(order, "reminder")] == ["stock-approvers"]
        shop.time_passes(hours=8)
        assert [e.detail["to"] for e in events(order, "escalated")] == ["owner"]
        assert order.task(GATE).priority == 1
        shop.time_passes(days=30)
        assert GATE not in order.variables
        assert 6 not in order.steps()


class Test14LinksOpenPages:
    """(14) Links in mails open a page; only a POST decides."""

    def test_reading_any_address_of_a_gate_decides_nothing(self, shop: Shop) -> None:
        order = shop.places_order()
        task = order.task(GATE).id
        visitor = app.create_app(parts=shop.parts).test_client()
        query = f"?decision=approve&snapshot={read(order, HELENA).snapshot}&password=demo"

        for method in ("GET", "HEAD"):
            for path in ("/tasks/{}", "/tasks/{}/decide", "/api/v1/tasks/{}/decide", "/api/v1/tasks/{}/override"):
                answer = visitor.open(path.format(task) + query, method=method)
                assert answer.status_code in (302, 303, 401, 404, 405), path
        sent = visitor.post(f"/tasks/{task}/decide" + query)
        assert (sent.status_code, "/sign-in" in sent.headers["Location"]) == (302, True), "no session, no decision"

        assert order.open_elements() == [GATE]


class Test15Bulk:
    """(15) Bulk approval is capped, each item signed by itself."""

    def test_each_is_signed_by_itself_and_one_refusal_keeps_none_back(self, shop: Shop) -> None:
        orders = [shop.places_order(), shop.places_order(), shop.places_order()]
        items = [(order.task(GATE).id, read(order, HELENA).snapshot) for order in orders]
        items[1] = (items[1][0], "old")

        done = shop.engine.decide_many(HELENA, items, comment="Seen.")

        assert [type(one.error) for one in done] == [type(None), StaleSnapshot, type(None)]
        assert [one.task.state for one in done if one.task] == ["done", "done"]
        assert orders[1].open_elements() == [GATE]
        with shop.engine.reading() as session:
            assert len({row.snapshot for row in session.query(Signature)}) == 2

    def test_more_than_the_cap_signs_nothing_and_is_recorded(self, shop: Shop) -> None:
        order = shop.places_order()
        item = (order.task(GATE).id, read(order, HELENA).snapshot)

        with pytest.raises(InvalidForm):
            shop.engine.decide_many(HELENA, [item] * (MOST_AT_ONCE + 1))

        assert order.open_elements() == [GATE]
        assert shop.engine.journal().items[0].kind == "bulk_refused"
        with pytest.raises(InvalidForm):
            shop.engine.decide_many(HELENA, [item, item])


class Test16VersionsAndConsent:
    """(16) A diagram or form change is consented by a second person; the decision stores the version."""

    def test_a_changed_gate_waits_for_a_second_analyst_and_each_decision_keeps_its_version(self, shop: Shop) -> None:
        author, second = (Actor(name, frozenset({"analysts"})) for name in ("analyst", "analyst-2"))
        files = dict(Bundle.from_folders(*app.BUNDLE).files)
        diagram = "processes/order_fulfillment.bpmn"
        files[diagram] = files[diagram].replace(b"Read what was checked and reserved.", b"Read all of it.")
        asked, = shop.engine.propose(Bundle(files), author, reason="Shorter.", base_version=1)
        with pytest.raises(OwnVersion):
            shop.engine.consent(asked.key, asked.version, author)
        before = shop.places_order()
        shop.engine.consent(asked.key, asked.version, second)
        after = shop.places_order()

        versions = []
        for order in (before, after):
            task = order.task(GATE)
            sign(order, HELENA)
            shown = shop.engine.task(task.id, HELENA).approval
            assert shown is not None
            versions.append(shown.signatures[0].version)
        assert versions == [1, 2]


class Test17AccessReview:
    """(17) Access review: who could sign what, when."""

    def test_the_engine_tells_which_team_signed_which_gate_and_which_delegations_ran(self, shop: Shop) -> None:
        lent = lends(shop, gates=[GATE])
        shop.places_order()
        now = shop.clock.now()
        shop.time_passes(days=3)

        then, today = shop.engine.signers(now), shop.engine.signers()

        assert {(gate.element, gate.team) for gate in then.gates} == {
            (GATE, "stock-approvers"), (PAYMENT, "payment-approvers")
        }
        assert [each.id for each in then.delegations] == [lent.id]
        assert today.delegations == ()


class Test18EvidencePack:
    """(18) Evidence pack per order (PDF and JSON), legible, with the chain's head; at any time."""

    def test_before_the_order_is_archived_it_shows_what_was_signed_and_refused_so_far(
        self, shop: Shop, renderer: Renderer
    ) -> None:
        order = shop.places_order()
        with pytest.raises(NotAnApprover):
            sign(order, ADMIN)
        lends(shop)
        sign(order, GRACE)
        ports = replace(shop.parts.ports, renderer=renderer)

        pack = json.loads(shop.engine.look(order.number, lambda call: so_far(call, ports, "evidence.json")))
        paper = shop.engine.look(order.number, lambda call: so_far(call, ports, "evidence.pdf"))

        assert pack["so_far"] is True
        assert pack["history"]["head"] == order.history()[-1].hash
        text = " ".join("".join(page.extract_text() for page in PdfReader(io.BytesIO(paper)).pages).split())
        for said in ("not archived yet", "Grace Okafor (payment-approver) for", "signature refused",
                     "I have checked what is submitted"):
            assert said in text, said
