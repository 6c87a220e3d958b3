"""Live orders are moved to a new version of the process: what they keep, what they meet, and what stops them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from lxml import etree
from SpiffWorkflow.util.task import TaskState
from sqlalchemy import select

from engine.codec import unpack
from engine.errors import Conflict, InvalidForm, NotFound
from engine.store.tables import Instance
from engine.views import Actor, JobView
from handlers.couriers.embedded import Fault
from tests.drawing import BPMN
from tests.scenarios.conftest import SQLITE_ONLY
from tests.scenarios.redrawing import Redrawn
from tests.scenarios.shop import PEOPLE, OrderHandle, Shop

KEY = "order_fulfillment"
ANALYST = Actor("analyst", frozenset({"analysts"}))


def deploys(shop: Shop, redrawn: Redrawn) -> int:
    """The analysts' change becomes the newest version; returns its number."""
    newest = max(v.version for v in shop.engine.versions(KEY))
    done = shop.engine.deploy(redrawn.bundle, ANALYST, origin="upload", reason="A change.", base_version=newest)
    return done[0].version


def moves(shop: Shop, version: int, *orders: OrderHandle) -> list[tuple[str, str]]:
    """Live orders are moved; what became of each, and why."""
    begun = shop.engine.migrate(KEY, version, ANALYST, reason="Gift wrap.", orders=[o.number for o in orders] or None)
    shop.works()
    done = shop.engine.migration(begun.id)
    assert done.waiting == 0
    return [(item.state, item.why) for item in done.items.items]


def kept(order: OrderHandle) -> dict[str, Any]:
    """What an order must not lose when it is moved."""
    tasks = order.engine.order_tasks(order.number)
    return {
        "tasks": {t.id: (t.element, t.state, t.assignee, t.due_at, t.created_at) for t in tasks},
        "drafts": {t.id: order.engine.task(t.id, PEOPLE[t.team]).draft for t in tasks
                   if t.state == "open" and t.kind == "form"},
        "variables": order.variables, "awaits": order.instance.awaits, "step": order.instance.step,
        "history": [e.hash for e in order.history() if e.kind != "migrated"],
        "timers": sorted((j.key, j.run_at) for j in order.engine.jobs(order=order.number, limit=200).items
                         if j.kind in ("timer", "due") and j.state == "ready"),
    }


def waiting_timers(order: OrderHandle) -> list[JobView]:
    jobs = order.engine.jobs(order=order.number, limit=200).items
    return [job for job in jobs if job.kind == "timer" and job.state == "ready"]


def test_an_order_before_a_new_task_meets_it_and_keeps_what_it_has(shop: Shop) -> None:
    """At step 10 with a draft: the id, the draft, the due time and the assignee stay; then comes Gift wrap."""
    order = shop.places_order().goes_to("package_products")
    task = order.task("package_products")
    shop.engine.claim(task.id, PEOPLE["warehouse"])
    shop.engine.save_task_draft(task.id, PEOPLE["warehouse"], {"note": "half done"})
    version = deploys(shop, Redrawn().puts_in("gift_wrap", after="package_products"))
    before = kept(order)

    assert moves(shop, version) == [("moved", "")]

    assert kept(order) == before
    assert order.instance.version == version
    event = next(e for e in order.history() if e.kind == "migrated")
    assert event.actor == "analyst"
    [begun] = shop.engine.migrations(KEY)
    assert event.detail == {"from": 1, "to": 2, "reason": "Gift wrap.", "migration": begun.id, "tasks": []}
    assert shop.engine.verify_audit(order.number) == []
    order.does("package_products")
    assert order.open_elements() == ["gift_wrap"]
    order.goes_to_its_end()
    assert order.status == "closed"
    assert shop.engine.verify_audit(order.number) == []


@pytest.mark.parametrize("place", [
    "receive_order", "wait_for_restock", "approve_reservation", "wait_for_transfer", "resolve_payment",
    "package_products", "confirm_pickup", "courier_reports", "handle_exception", "ask_for_proof", "prepare_next",
    "settle_booking",
])
@SQLITE_ONLY
def test_a_version_that_changes_no_way_leaves_the_state_as_it_is(shop: Shop, outside: Any, place: str) -> None:
    """Wherever an order stands: what is done and what is waited for stays, and it goes on to its end."""
    order = comes_to(shop, outside, place)
    before = tree(shop, order)
    version = deploys(shop, Redrawn().asks_for("prepare_next.json", "gift", "Gift"))

    assert moves(shop, version) == [("moved", "")]

    assert tree(shop, order) == before
    outside.courier_fault = None
    if place == "wait_for_restock":
        shop.has("product-a", 100)
        order.hears("stock.arrived", sku="product-a", region="europe")
    order.goes_to_its_end()


@pytest.mark.parametrize(("place", "meets"), [
    ("receive_order", True), ("wait_for_restock", True), ("approve_reservation", True), ("wait_for_transfer", True),
    ("resolve_payment", True), ("package_products", True), ("confirm_pickup", False), ("courier_reports", False),
    ("handle_exception", False), ("prepare_next", False),
])
@SQLITE_ONLY
def test_whoever_has_not_passed_a_new_step_is_told_to_meet_it(
    shop: Shop, outside: Any, place: str, meets: bool
) -> None:
    """Also from a helper task or a wait beside the usual way, from where the order goes back to where it left."""
    comes_to(shop, outside, place)
    version = deploys(shop, Redrawn().puts_in("gift_wrap", after="package_products"))

    [group] = shop.engine.impact(KEY, version).groups

    assert (group.kind, group.name) == (("moves", "Gift wrap") if meets else ("stays", ""))


def tree(shop: Shop, order: OrderHandle) -> Any:
    """The stored state as nested names and states, without what is only predicted."""
    with shop.engine.reading() as session:
        row = session.scalars(select(Instance).where(Instance.business_key == order.number)).one()
        state = unpack(row.state)
    tasks = state["tasks"]

    def below(id_: str) -> Any:
        task = tasks[id_]
        real = [below(child) for child in task["children"] if tasks[child]["state"] >= TaskState.WAITING]
        return task["task_spec"], task["state"], task["internal_data"], sorted(real, key=repr)

    return below(state["root"])


def comes_to(shop: Shop, outside: Any, place: str) -> OrderHandle:
    """An order that stands at an element, by whatever way leads there."""
    if place == "receive_order":
        shop.engine.start(KEY, "WB-1", PEOPLE["sales"])
        return OrderHandle(shop, "WB-1")
    if place == "wait_for_restock":
        shop.has("product-a", 0)
        order = shop.places_order()
        order.does("resolve_shortage", choice="wait")
        return order
    order = shop.places_order(payment_method="bank_transfer" if "transfer" in place else "credit_card",
                              **({"payment_token": "tok_declined_once"} if place == "resolve_payment" else {}))
    if place in ("courier_reports", "handle_exception"):
        order.goes_to("confirm_pickup").courier_reports("picked_up")
        if place == "handle_exception":
            order.courier_reports("lost")
        return order
    if place == "settle_booking":
        order.goes_to("confirm_pickup")
        outside.courier_fault = lambda method, _key: Fault("refuse") if method == "cancel" else None
        shop.engine.cancel(order.number, PEOPLE["sales"], "Changed my mind.")
        shop.works()
        return order
    return order.goes_to(place)


def test_going_back_to_an_older_version_works_by_the_same_rules(shop: Shop) -> None:
    """Before Gift wrap the order goes back; at Gift wrap it cannot, and the refusal names the task."""
    early, late = shop.places_order().goes_to("package_products"), shop.places_order().goes_to("package_products")
    moves(shop, deploys(shop, Redrawn().puts_in("gift_wrap", after="package_products")))
    late.does("package_products")
    before = kept(early)

    assert [(g.kind, g.name, g.why) for g in shop.engine.impact(KEY, 1).groups] == [
        ("moves", "Gift wrap", "they no longer come to Gift wrap"),
        ("cannot", "Gift wrap", "The order is at “Gift wrap”, which the new version does not have.")]
    results = moves(shop, 1)

    assert results == [("moved", ""), ("refused", "The order is at “Gift wrap”, which the new version does not have.")]
    assert kept(early) == before
    assert late.open_elements() == ["gift_wrap"]
    for order in (early, late):
        order.goes_to_its_end()
        assert order.status == "closed"
        assert shop.engine.verify_audit(order.number) == []
    assert "gift_wrap" not in {e.element for e in early.history()}


def test_an_order_that_has_passed_the_new_task_goes_on_as_it_was(shop: Shop) -> None:
    """Past step 10 nothing changes, unless it is sent back to before the new task."""
    order = shop.places_order().goes_to("confirm_pickup")
    version = deploys(shop, Redrawn().puts_in("gift_wrap", after="package_products"))
    before = kept(order)

    assert [(g.kind, g.count) for g in shop.engine.impact(KEY, version).groups] == [("stays", 1)]
    assert moves(shop, version) == [("moved", "")]

    assert kept(order) == before
    order.goes_to_its_end()
    assert "gift_wrap" not in {e.element for e in order.history()}


def test_what_an_order_has_only_been_through_may_be_gone_from_the_new_version(shop: Shop) -> None:
    """A removed step in the past does not stop an order; its done task is still shown as it was filled in."""
    with_gift = deploys(shop, Redrawn().puts_in("gift_wrap", after="package_products"))
    order = shop.places_order().goes_to("gift_wrap")
    task = order.task("gift_wrap")
    order.answers("gift_wrap", paper="gold")
    assert "confirm_pickup" in order.goes_to("confirm_pickup").open_elements()

    assert moves(shop, 1) == [("moved", "")]

    done = shop.engine.task(task.id, PEOPLE["warehouse"])
    assert (done.data, list(done.form["properties"])) == ({"paper": "gold"}, ["paper"])
    assert moves(shop, with_gift) == [("moved", "")], "and forth again"
    order.goes_to_its_end()
    assert order.status == "closed"
    assert [e.detail["to"] for e in order.history() if e.kind == "migrated"] == [1, with_gift]
    assert shop.engine.verify_audit(order.number) == []


def test_a_timer_that_waits_keeps_its_due_time_and_a_removed_one_goes(shop: Shop) -> None:
    """The reminder after pickup late is gone from the version: its timer is withdrawn, everything else stays."""
    order = shop.places_order().goes_to("confirm_pickup")
    timers = waiting_timers(order)
    assert [t.element for t in timers] == ["pickup_late"]
    version = deploys(shop, Redrawn().takes_out("pickup_late"))

    assert moves(shop, version) == [("moved", "")]

    assert shop.engine.job(timers[0].id).state == "withdrawn"
    shop.time_passes(days=9)
    assert order.open_elements() == ["confirm_pickup"]
    moves(shop, 1)
    assert [t.element for t in waiting_timers(order)] == ["pickup_late"], "it waits anew"
    shop.time_passes(days=9)
    assert order.open_elements() == ["choose_courier"]


def test_a_first_boundary_event_is_put_on_an_open_task(shop: Shop) -> None:
    """A version that lets step 10 run out after two days does so for an order that stands there when it is moved."""
    def too_slow(process: Any) -> None:
        event = etree.fromstring(
            f'<b:boundaryEvent xmlns:b="{BPMN[1:-1]}" id="packing_late" name="Not packed in 2 days" '
            'attachedToRef="package_products"><b:outgoing>packing_late__prepare_shipment</b:outgoing>'
            '<b:timerEventDefinition id="packing_late_def"><b:timeDuration>P2D</b:timeDuration>'
            "</b:timerEventDefinition></b:boundaryEvent>")
        process.append(event)
        etree.SubElement(process, f"{BPMN}sequenceFlow", id="packing_late__prepare_shipment",
                         sourceRef="packing_late", targetRef="prepare_shipment")
        lane = next(r.getparent() for r in process.iter(f"{BPMN}flowNodeRef") if r.text == "package_products")
        etree.SubElement(lane, f"{BPMN}flowNodeRef").text = "packing_late"

    stays, slow = (shop.places_order().goes_to("package_products") for _ in range(2))
    before = kept(stays)
    version = deploys(shop, Redrawn().changes("package_products", too_slow))

    assert moves(shop, version) == [("moved", "")] * 2

    assert {**kept(stays), "timers": before["timers"]} == before
    stays.does("package_products")
    shop.time_passes(days=2, minutes=1)
    assert slow.open_elements() == ["prepare_shipment"]
    for order in (stays, slow):
        order.goes_to_its_end()
        assert order.status == "closed"


def test_an_open_task_takes_name_team_step_and_form_from_the_version(shop: Shop) -> None:
    """The history says what changed; whoever had the task gives it up when it goes to another team."""
    order = shop.places_order().goes_to("package_products")
    task = order.task("package_products")
    shop.engine.claim(task.id, PEOPLE["warehouse"])
    shop.engine.save_task_draft(task.id, PEOPLE["warehouse"], {"note": "half done"})
    change = Redrawn().asks_for("package_products.json", "gift", "Gift").sets("package_products", team="shipping")
    version = deploys(shop, change.in_lane("package_products", "lane_shipping"))

    found = [(g.kind, g.element, g.count, g.why) for g in shop.engine.impact(KEY, version).groups]
    assert found == [("form_changes", "package_products", 1, "at step 10: drafts and due times are kept; one more "
                      "field: Gift and the team is shipping")]
    assert moves(shop, version) == [("moved", "")]

    now = order.task("package_products")
    assert (now.id, now.team, now.assignee, now.due_at) == (task.id, "shipping", None, task.due_at)
    assert now.revision > task.revision
    detail = shop.engine.task(task.id, PEOPLE["shipping"])
    assert detail.draft == {"note": "half done"}
    assert "gift" in detail.form["properties"]
    told = next(e.detail["tasks"] for e in order.history() if e.kind == "migrated")
    assert told == [{"element": "package_products", "team": ["warehouse", "shipping"],
                     "form": ["package_products.json"] * 2, "assignee": ["warehouse", None]}]


def test_what_somebody_has_signed_does_not_change(shop: Shop) -> None:
    """Between two signatures an order moves when its gate stays as it is, and else waits for the decision."""
    order = shop.places_order(items=[{"sku": "product-d", "quantity": 20}]).goes_to("approve_reservation")
    order.is_decided("approve_reservation")
    assert order.open_elements() == ["approve_reservation"], "a second signature is needed"
    changed = deploys(shop, Redrawn().sets("approve_reservation", sendBackTo="3,4"))
    other = deploys(shop, Redrawn().puts_in("gift_wrap", after="package_products"))

    assert moves(shop, changed) == [("refused", "Somebody has signed “Approval: Inventory Reservation” as it is, and "
                                     "the gate changes. Move the order when the gate is decided.")]
    assert [g.kind for g in shop.engine.impact(KEY, changed).groups] == ["cannot"]
    assert moves(shop, other) == [("moved", "")]
    order.is_decided("approve_reservation", by="stock-approver-2")
    assert "approve_reservation" not in order.open_elements()


def test_work_that_is_under_way_outside_stops_an_order_only_when_its_element_changes(shop: Shop, outside: Any) -> None:
    """A courier is being booked: a version in which that step bears another id has to wait."""
    order = shop.places_order().goes_to("package_products")
    outside.courier_fault = lambda method, _key: Fault("unavailable") if method == "book" else None
    order.does("package_products")
    assert order.open_elements() == []
    other_id = deploys(shop, Redrawn().renames("assign_courier", "book_courier"))
    after = deploys(shop, Redrawn().puts_in("gift_wrap", after="package_products"))

    assert [g.kind for g in shop.engine.impact(KEY, other_id).groups] == ["cannot"]
    assert moves(shop, other_id) == [
        ("refused", "The order is at “Assign order to shipment courier”, which the new version does not have.")]
    assert moves(shop, after) == [("moved", "")]

    outside.courier_fault = None
    shop.time_passes(hours=1)
    assert order.open_elements() == ["confirm_pickup"], "what was under way goes on in the new version"
    assert order.goes_to_its_end().status == "closed"


def test_an_order_in_its_cancellation_is_compared_with_the_cancellation(shop: Shop) -> None:
    """Undoing goes on in the new version; a change of the order's own diagram does not touch it."""
    order = shop.places_order().goes_to("package_products")
    shop.engine.cancel(order.number, PEOPLE["sales"], "Changed my mind.")
    shop.works()
    assert order.status == "cancelling"
    version = deploys(shop, Redrawn().puts_in("gift_wrap", after="package_products"))

    assert [g.kind for g in shop.engine.impact(KEY, version).groups] == ["stays"]
    assert moves(shop, version) == [("moved", "")]

    assert order.goes_to_its_end().status == "cancelled"
    assert shop.engine.verify_audit(order.number) == []


def test_an_order_that_is_being_cancelled_keeps_the_process_that_undoes_it(shop: Shop, outside: Any) -> None:
    """It waits for a courier's answer and would else end as cancelled with nothing undone."""
    order = shop.places_order().goes_to("package_products")
    outside.courier_fault = lambda method, _key: Fault("unavailable") if method == "book" else None
    order.does("package_products")
    shop.engine.cancel(order.number, PEOPLE["sales"], "Changed my mind.")
    assert (order.status, order.instance.process) == ("cancelling", KEY)
    change = Redrawn().changes("package_products", without_cancellation).bundle
    asked = shop.engine.propose(change, ANALYST, reason="Nobody cancels.", base_version=1, key=KEY)
    version = next(one.version for one in asked if one.key == KEY)
    shop.engine.consent(KEY, version, Actor("analyst-2", frozenset({"analysts"})))

    assert [g.kind for g in shop.engine.impact(KEY, version).groups] == ["cannot"]
    assert moves(shop, version) == [
        ("refused", "The order is being cancelled, and the new version has no process that undoes it.")]

    outside.courier_fault = None
    shop.time_passes(hours=1)
    assert order.goes_to_its_end().status == "cancelled"


def without_cancellation(process: etree._Element) -> None:
    """Nothing undoes the process any more."""
    for named in [one for one in process.iter("{*}property") if one.get("name") in ("cancellation", "cancels")]:
        named.getparent().remove(named)


def test_who_may_be_moved_where_is_said_before_anything_moves(shop: Shop) -> None:
    """A reason is needed, the version must be deployed, every named order must be there."""
    order = shop.places_order()

    with pytest.raises(InvalidForm):
        shop.engine.migrate(KEY, 1, ANALYST, reason=" ")
    with pytest.raises(NotFound):
        shop.engine.migrate(KEY, 9, ANALYST, reason="Because.")
    with pytest.raises(InvalidForm) as fault:
        shop.engine.migrate(KEY, 1, ANALYST, reason="Because.", orders=[order.number, "WB-0"])
    assert fault.value.errors[0].field == "/orders/1"
    waits = shop.engine.propose(Redrawn().puts_in("gift_wrap", after="package_products").bundle, ANALYST,
                                reason="Gifts.", base_version=1)[0]
    with pytest.raises(Conflict):
        shop.engine.migrate(KEY, waits.version, ANALYST, reason="Because.")
    assert [(g.kind, g.name, g.why, g.count) for g in shop.engine.impact(KEY, waits.version).groups] == [
        ("moves", "Gift wrap", "before step 11", 1)], "its impact is known while it waits"


def test_an_order_beyond_what_is_written_is_told_before_it_lacks_it(shop: Shop) -> None:
    """The new step writes what a later element reads: an order between the two would stop there, and only that one."""
    before = shop.places_order().goes_to("package_products")
    between = shop.places_order().goes_to("confirm_pickup")
    beyond = shop.places_order().goes_to("prepare_next")
    reads = etree.fromstring(
        f'<b:scriptTask xmlns:b="{BPMN[1:-1]}" id="note_paper" name="Note the paper">'
        "<b:script>paper = gift_wrap.paper</b:script></b:scriptTask>")
    version = deploys(shop, Redrawn().puts_in("gift_wrap", after="package_products").inserts(reads, "confirm_pickup"))

    impact = shop.engine.impact(KEY, version)

    assert {group.orders: (group.kind, group.element) for group in impact.groups} == {
        (before.number,): ("moves", "gift_wrap"), (between.number,): ("lacks", "note_paper"),
        (beyond.number,): ("stays", None)}
    assert next(group.why for group in impact.groups if group.kind == "lacks") == (
        "“Note the paper” reads gift_wrap, which is written before the place where they stand")
    assert impact.can_move == 3
    assert moves(shop, version) == [("moved", "")] * 3
    between.does("confirm_pickup")
    [incident] = shop.engine.incidents()
    assert "gift_wrap" in str(incident.jobs[0].error)


def test_moving_again_changes_nothing(shop: Shop) -> None:
    """Orders that have ended or are there already stay; nobody is moved twice."""
    ended, moved = shop.places_order().goes_to_its_end(), shop.places_order()
    version = deploys(shop, Redrawn().puts_in("gift_wrap", after="package_products"))

    first = moves(shop, version, ended, moved)
    again = moves(shop, version, ended, moved)

    assert first == [("stays", "The order has ended."), ("moved", "")]
    assert again == [("stays", "The order has ended."), ("stays", "The order is on version 2 already.")]
    assert [e.kind for e in moved.history()].count("migrated") == 1


def test_a_killed_worker_loses_no_move(shop: Shop) -> None:
    """A move that somebody has taken up is taken up again when the lease is over; the late one then does nothing."""
    order = shop.places_order()
    version = deploys(shop, Redrawn().puts_in("gift_wrap", after="package_products"))
    begun = shop.engine.migrate(KEY, version, ANALYST, reason="Gift wrap.")
    late = shop.engine.claim_next()
    assert late is not None
    assert late.kind == "move"
    now = shop.engine.database.lock_clock
    shop.engine.database.lock_clock = lambda session: now(session) + timedelta(minutes=5)  # type: ignore[method-assign]

    shop.works()
    shop.engine.run_job(late)

    assert shop.engine.migration(begun.id).moved == 1
    assert [e.kind for e in order.history()].count("migrated") == 1
