"""Whoever is named in a refusal, a history or a mail is named as people know them; machines get the user name too."""

from __future__ import annotations

from email import message_from_bytes, policy

from engine import SYSTEM
from tests.web.api_world import World
from tests.web.test_api_tasks import gate
from tests.web.test_pages_scanning import placed_at
from tests.web.visitor import example, open_task, visitor
from web.accounts.administration import Administration
from web.services import KEY

HELENA, RAVI = "stock-approver", "stock-approver-2"


def test_a_refusal_of_the_api_gives_both_names(world: World) -> None:
    """In `detail` the one that people read, as `who` the user name; `assignee` and the status are as ever."""
    task = gate(world)["id"]
    world.of(HELENA).post(f"/tasks/{task}/claim")

    taken = world.of(RAVI).post(f"/tasks/{task}/claim").json

    assert (taken["detail"], taken["who"], taken["assignee"]) == ("Helena Brandt has this task.", HELENA, HELENA)
    assert taken["status"] == 409


def test_an_answer_that_comes_late_names_who_was_faster(world: World) -> None:
    """The mail that asked named the one who asks."""
    with world.engine.transaction() as session:
        Administration(world.engine, session, SYSTEM).change("finance", email="priya@example.com")
    order = world.place()
    world.work()
    asked = world.of("warehouse").post(f"/orders/{order}/questions", {"text": "Paid?", "team": "finance"}).json
    world.work()
    world.of("finance").post(f"/questions/{asked['id']}/answer", {"text": "Yes."})

    late = world.of("finance").post(f"/questions/{asked['id']}/answer", {"text": "No."}).json
    others = world.of("sales").post(f"/questions/{asked['id']}/withdraw").json

    assert (late["detail"], late["who"]) == ("The question is answered already, by Priya Nair.", "finance")
    assert others["detail"].startswith("Mei Tan asked this question")
    outbox = world.app.extensions[KEY].settings.var / "outbox"
    mails = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in outbox.glob("*.eml")]
    assert f"Question from Mei Tan, {order}" in [mail["Subject"] for mail in mails]


def test_the_history_of_a_refused_signature_names_who_decided(world: World) -> None:
    """Who signs too late is told, and is on record, in the words that people read."""
    task = gate(world)
    decision = {"decision": "approve", "comment": "", "snapshot": task["snapshot"], "password": "demo"}
    assert world.of(HELENA).post(f"/tasks/{task['id']}/decide", decision).status_code == 200

    late = world.of(RAVI).post(f"/tasks/{task['id']}/decide", decision)

    assert (late.status_code, late.json["detail"]) == (409, "This gate is decided already, by Helena Brandt.")
    shown = visitor(world, "owner").goes(f"/orders/{task['order']}").text
    assert "tried to sign and was refused: This gate is decided already, by Helena Brandt." in shown
    [event] = [each for each in world.engine.history(task["order"]) if each.kind == "signature_refused"]
    assert event.detail["who"] == HELENA


def test_a_task_that_is_done_names_who_did_it(world: World) -> None:
    """To a colleague who fills in the form once more."""
    order = placed_at(world, 10)
    task, filled = open_task(world, order), {"data": example(world, order)}
    assert world.of("warehouse").post(f"/tasks/{task}/complete", filled).status_code == 200

    late = world.of("warehouse").post(f"/tasks/{task}/complete", {"data": {**filled["data"], "note": "Once more."}})

    assert (late.status_code, late.json["detail"]) == (409, "The task is done, by Mei Tan.")
