"""Approving several gates on one page: each ticked, each signed by itself."""

from __future__ import annotations

from engine.views import Actor
from tests.web.api_world import World
from tests.web.test_pages_gates import order_at_gate
from tests.web.visitor import Page, Visitor, open_task, visitor


def signs(who: Visitor, page: Page, ticked: list[str], **fields: str) -> Page:
    """Ticks these gates on the page and signs."""
    form = page.form("/sign-several")
    action = next(f.action for f in page.tree.forms if (f.action or "").endswith("/sign-several"))
    return who.sends(action, {**form, "task": ticked, "password": "demo", **fields})


def gates(world: World, count: int) -> tuple[list[str], list[str]]:
    """Orders at their first gate, and the gates."""
    both = [order_at_gate(world) for _ in range(count)]
    return [order for order, _ in both], [task for _, task in both]


def test_the_ticked_gates_are_signed_and_the_others_are_not(world: World) -> None:
    """With one password and one remark; what was not ticked still waits, and comes next."""
    orders, tasks = gates(world, 3)
    who = visitor(world, "stock-approver")

    page = who.goes(f"/tasks/{tasks[0]}/sign-several?task={tasks[0]}&task={tasks[1]}")
    assert {box.get("value") for box in page.find("//input[@name='task' and @checked]")} == set(tasks[:2])
    done = signs(who, page, tasks[:2], comment="Checked together.")

    assert "2 gates are signed. One more waits" in done.text
    assert open_task(world, orders[2]) == tasks[2]
    for order in orders[:2]:
        decided = [e for e in world.engine.history(order) if e.detail.get("decision") == "approve"]
        assert [e.detail["comment"] for e in decided] == ["Checked together."]


def test_one_that_is_refused_keeps_none_of_the_others_back(world: World) -> None:
    """It stays ticked, with its reason; the rest is signed."""
    orders, tasks = gates(world, 2)
    who = visitor(world, "stock-approver")
    page = who.goes(f"/tasks/{tasks[0]}/sign-several")

    done = signs(who, page, tasks, **{f"snapshot:{tasks[1]}": "0" * 64})

    assert done.status == 422
    assert "1 signed, 1 not" in done.text
    assert "has changed since" in done.text
    assert [box.get("value") for box in done.find("//input[@name='task' and @checked]")] == [tasks[1]]
    assert all(task.id != tasks[0] or task.state == "done" for task in world.engine.order_tasks(orders[0]))


def test_a_wrong_password_signs_none(world: World) -> None:
    """And the ticks stay."""
    orders, tasks = gates(world, 2)
    who = visitor(world, "stock-approver")

    done = signs(who, who.goes(f"/tasks/{tasks[0]}/sign-several"), tasks, password="wrong")

    assert "This is not your password." in done.text
    assert len(done.find("//input[@name='task' and @checked]")) == 2
    assert [open_task(world, order) for order in orders] == tasks


def test_the_password_is_asked_for_before_the_button(world: World) -> None:
    """The button stands under the password, not fixed over the list, where it would be pressed first."""
    _, (task,) = gates(world, 1)

    page = visitor(world, "stock-approver").goes(f"/tasks/{task}/sign-several")

    (actions,) = page.find("//section[.//input[@name='password']]/following-sibling::div[.//button]")
    assert actions.get("class") == "actions still"


def test_more_than_twenty_are_not_signed_at_once(world: World) -> None:
    """However the form was sent."""
    order, task = order_at_gate(world)
    who = visitor(world, "stock-approver")

    done = signs(who, who.goes(f"/tasks/{task}/sign-several"), [task, *(f"gate-{n}" for n in range(20))])

    assert "Tick at most 20. You ticked 21." in done.text
    assert open_task(world, order) == task


def test_what_differs_is_said_beside_the_gate(world: World) -> None:
    """A gate that was sent back before says by whom, and whether anything has changed."""
    order, task = order_at_gate(world)
    shown = world.task_of(order, "stock-approver-2")
    colleague = Actor("stock-approver-2", frozenset(["stock-approvers"]))
    world.engine.decide(
        task, colleague, "send_back", comment="Look again.", snapshot=shown["snapshot"], send_back_to=3
    )
    world.work()

    page = visitor(world, "stock-approver").goes(f"/tasks/{open_task(world, order)}/sign-several")

    assert "Sent back by Ravi Menon; 1 value changed since" in page.text


def test_gates_chosen_in_the_inbox_come_to_this_page(world: World) -> None:
    """Where forms are filled in once for several tasks, gates are ticked instead."""
    _, tasks = gates(world, 2)

    page = visitor(world, "stock-approver").goes(f"/tasks/{tasks[0]}/several?task={tasks[0]}&task={tasks[1]}")

    assert page.heading == "Approval: Inventory Reservation, several at once"
    assert len(page.find("//input[@name='task' and @checked]")) == 2
