"""The page of a gate: what is signed, by whom, and everything that may not be signed."""

from __future__ import annotations

from engine.views import Actor
from handlers.tables import Order
from tests.web.api_world import World
from tests.web.visitor import Page, Visitor, as_inputs, example, open_task, visitor
from web import accounts


def order_at_gate(world: World, **changes: object) -> tuple[str, str]:
    """An order that waits for the approval of its reservation, and the gate's task."""
    order = world.place(**changes)
    world.work()
    return order, open_task(world, order)


def decides(who: Visitor, task: str, **fields: str) -> Page:
    """Fills the gate's form and signs."""
    page = who.goes(f"/tasks/{task}")
    return who.sends(f"/tasks/{task}/decide", {**page.form("/decide"), "password": "demo", **fields})


def test_the_page_shows_exactly_what_is_submitted(world: World) -> None:
    """Every value of the submission stands on the page, with the hash that is signed."""
    order, task = order_at_gate(world)
    submission = world.task_of(order, "stock-approver")

    page = visitor(world, "stock-approver").goes(f"/tasks/{task}")

    assert page.heading == "Approval: Inventory Reservation"
    for line in submission["submission"]["lines"]:
        assert line["name"] in page.text
    assert str(submission["submission"]["reservation"]) in page.text
    assert page.value("snapshot") == submission["snapshot"]
    assert "Anna Lindqvist worked on this order and cannot sign it" in page.text


def test_the_page_says_whose_draft_a_task_was_completed_with(world: World) -> None:
    """Who typed it worked on the order, whoever sent it off."""
    order = world.place(customer={"name": "Mia Tanaka", "email": "mia.tanaka@example.com", "phone": "12"})
    world.work()
    task = open_task(world, order)
    typed = {**example(world, order), "confirm_as_is": False, "phone": "+1 212 736 3100"}
    typed.pop("reason", None)
    world.engine.save_task_draft(task, Actor("max", frozenset({"sales", "stock-approvers"})), typed)
    world.engine.complete(task, Actor("sales", frozenset({"sales"})), typed)
    world.work()

    page = visitor(world, "stock-approver").goes(f"/tasks/{open_task(world, order)}")

    assert "with a draft of max" in page.text
    assert "max, Anna Lindqvist worked on this order and cannot sign it" in page.text


def test_approving_lets_the_order_go_on(world: World) -> None:
    """With the password once more; the page says what happened."""
    order, task = order_at_gate(world)

    page = decides(visitor(world, "stock-approver"), task, decision="approve")
    world.work()

    assert f"{order} is approved and goes on." in page.text
    assert world.engine.instance(order).step != 5


def test_a_wrong_password_signs_nothing_and_keeps_the_reason(world: World) -> None:
    """Signing re-authenticates."""
    order, task = order_at_gate(world)

    page = decides(visitor(world, "stock-approver"), task, decision="reject", comment="Too many.", password="wrong")

    assert page.status == 422
    assert "This is not your password." in page.text
    assert page.value("comment").strip() == "Too many."
    assert page.find("//input[@value='reject' and @checked]")
    assert open_task(world, order) == task


def test_guessing_the_password_of_a_signature_is_stopped(world: World) -> None:
    """After five wrong ones the person waits, also with the right one."""
    order, task = order_at_gate(world)
    who = visitor(world, "stock-approver")
    for _ in range(5):
        decides(who, task, decision="approve", password="wrong")

    page = decides(who, task, decision="approve")

    assert "Too many wrong tries" in page.text
    assert open_task(world, order) == task


def test_sending_back_and_rejecting_need_a_reason(world: World) -> None:
    """And a decision has to be chosen."""
    _, task = order_at_gate(world)
    who = visitor(world, "stock-approver")

    assert "Give a reason" in decides(who, task, decision="reject").text
    assert "Give a reason" in decides(who, task, decision="send_back", send_back_to="3").text
    assert "Choose what you decide" in decides(who, task).text


def test_after_a_send_back_the_page_shows_what_changed(world: World) -> None:
    """Who sent it back and why, and each value as it was and is."""
    order, task = order_at_gate(world)
    decides(visitor(world, "stock-approver"), task, decision="send_back", send_back_to="3", comment="Look again.")
    world.work()

    page = visitor(world, "stock-approver-2").goes(f"/tasks/{open_task(world, order)}")

    assert "Helena Brandt sent it back" in page.text
    assert "“Look again.”" in page.text
    assert page.find("//h2[@id='h-changed']")
    assert len(page.find("//del")) == len(page.find("//ins")) == 1  # the reservation's reference


def test_a_stale_page_signs_nothing(world: World) -> None:
    """When what is submitted changed meanwhile the person reads it again: 409."""
    order, task = order_at_gate(world)

    page = decides(visitor(world, "stock-approver"), task, decision="approve", snapshot="0" * 64)

    assert page.status == 409
    assert "has changed since you opened this page" in page.text
    assert page.value("snapshot") != "0" * 64
    assert open_task(world, order) == task


def test_whoever_comes_second_reads_who_decided(world: World) -> None:
    """By name, and that their own decision was not taken."""
    _, task = order_at_gate(world)
    ravi = visitor(world, "stock-approver-2")
    open_page = ravi.goes(f"/tasks/{task}").form("/decide")
    decides(visitor(world, "stock-approver"), task, decision="reject", comment="Too many.")

    page = ravi.sends(f"/tasks/{task}/decide", {**open_page, "decision": "approve", "password": "demo"})

    assert page.status == 409
    assert "Helena Brandt has decided this gate meanwhile. Your decision was not taken." in page.text


def test_a_stale_page_shows_only_what_was_really_shown(world: World) -> None:
    """What the form carries of it counts when it is ours and belongs to the snapshot."""
    order, task = order_at_gate(world)
    who = visitor(world, "stock-approver")
    page = who.goes(f"/tasks/{task}")
    sent = {**page.form("/decide"), "decision": "approve", "password": "demo"}
    with world.database.write() as session:
        session.get_one(Order, order).customer_name = "Somebody Else"

    made_up = {"shown": f"{page.value('shown')}x", "snapshot": "0" * 64}
    for name, value in made_up.items():
        page = who.sends(f"/tasks/{task}/decide", {**sent, name: value})
        assert "Changed since you opened this page" not in page.text
    page = who.sends(f"/tasks/{task}/decide", sent)
    assert page.find("//table[@aria-labelledby='h-new']//ins")[0].text_content() == "Somebody Else"


def test_whoever_worked_on_the_order_is_told_why_they_cannot_sign(world: World) -> None:
    """The page says so and names who can; the form is not there, and sending it anyway is refused and recorded."""
    with world.database.write() as session:
        user = accounts.find_user(session, "sales")
        assert user is not None
        user.teams = ["sales", "stock-approvers"]
    order, task = order_at_gate(world)
    sales = visitor(world, "sales")

    page = sales.goes(f"/tasks/{task}")
    assert "You cannot sign this one" in page.text
    assert "You worked on this order" in page.text
    assert "Helena Brandt" in page.text
    assert "Your decision" not in page.text

    form = visitor(world, "stock-approver").goes(f"/tasks/{task}").form("/decide")
    token = page.form("/sign-out")["csrf_token"]
    refused = sales.sends(
        f"/tasks/{task}/decide", {**form, "csrf_token": token, "decision": "approve", "password": "demo"}
    )
    assert refused.status == 403
    assert "The attempt is on record." in refused.text
    assert world.engine.history(order)[-1].kind == "signature_refused"


def test_the_administrator_cannot_sign_either(world: World) -> None:
    """Seeing all is not signing all."""
    order, task = order_at_gate(world)
    admin = visitor(world, "admin")
    form = visitor(world, "stock-approver").goes(f"/tasks/{task}").form("/decide")
    page = admin.goes(f"/tasks/{task}")

    assert "You cannot sign this one" in page.text
    sent = {**form, "csrf_token": page.form("/sign-out")["csrf_token"], "decision": "approve", "password": "demo"}
    assert admin.sends(f"/tasks/{task}/decide", sent).status == 403
    assert open_task(world, order) == task


def test_a_large_order_shows_how_many_signatures_are_missing(world: World) -> None:
    """The first of two signatures leaves the gate open; the page of the second says who signed."""
    order, task = order_at_gate(world, items=[{"sku": "product-d", "quantity": 20}])
    assert "0 of 2" in visitor(world, "stock-approver").goes(f"/tasks/{task}").text

    page = decides(visitor(world, "stock-approver"), task, decision="approve")
    assert "1 of 2 signatures" in page.text

    second = visitor(world, "stock-approver-2").goes(f"/tasks/{task}")
    assert "Helena Brandt" in second.find("//ul[@id='signatures']")[0].text_content()
    assert f"{order} is approved" in decides(visitor(world, "stock-approver-2"), task, decision="approve").text


def test_a_gate_has_no_form_to_complete(world: World) -> None:
    """Completing a gate as if it were a form is refused."""
    _, task = order_at_gate(world)
    who = visitor(world, "stock-approver")

    page = who.sends(f"/tasks/{task}", who.goes(f"/tasks/{task}").form("/decide"), _action="complete")

    assert page.status == 409


def test_both_gates_are_passed_on_pages_alone(world: World) -> None:
    """Reservation, payment, and the warehouse's turn comes."""
    order, task = order_at_gate(world)
    decides(visitor(world, "stock-approver"), task, decision="approve")
    world.work()

    payment = open_task(world, order)
    page = visitor(world, "payment-approver").goes(f"/tasks/{payment}")
    assert page.heading == "Approval: Payment Processing"
    assert "INV-" in page.text
    tax = world.task_of(order, "payment-approver")["submission"]["tax"]
    assert f"{tax['name']} {tax['rate']}, $" in page.text
    assert "Tax: " not in page.text
    decides(visitor(world, "payment-approver"), payment, decision="approve")
    world.work()

    picking = open_task(world, order)
    warehouse = visitor(world, "warehouse")
    form = warehouse.goes(f"/tasks/{picking}").form(f"/tasks/{picking}")
    sent = {**form, **as_inputs(example(world, order)), "_action": "complete"}
    assert warehouse.sends(f"/tasks/{picking}", sent).status == 200
    assert world.engine.instance(order).step == 10
