"""Tasks by API: the inbox, claiming, drafts, completing forms, signing gates."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from engine.store.tables import Task
from tests.web.api_world import World, order_body

DOUBTFUL = {"name": "Mia Tanaka", "email": "mia.tanaka@example.com", "phone": "12"}
"""A customer whose phone number step 2 doubts: sales gets the task to correct it."""
CORRECTION = "correct_details"


def doubtful_task(world: World) -> dict[str, Any]:
    """An order whose details sales must correct; its task."""
    return world.task_of(world.place(customer=DOUBTFUL), "sales")


def gate(world: World, by: str = "sales") -> dict[str, Any]:
    """An order that waits for the signature under its reservation; its task."""
    answer = world.of(by).post("/orders", order_body())
    return world.task_of(answer.json["number"], "stock-approver")


def decide(world: World, who: str, task: dict[str, Any], decision: str = "approve", **changes: Any) -> Any:
    body = {"decision": decision, "comment": "", "snapshot": task["snapshot"], "password": "demo", **changes}
    return world.of(who).post(f"/tasks/{task['id']}/decide", body)


def kind_of(answer: Any) -> str:
    assert answer.content_type == "application/problem+json"
    return str(answer.json["type"]).rpartition("/")[2]


# --- the inbox -------------------------------------------------------------------------------------------------------


def test_people_see_the_tasks_of_their_teams(each_world: World) -> None:
    """Sales sees the doubtful customer, the approver the gate, the owner both; each its own 404 otherwise."""
    doubt, signature = doubtful_task(each_world), gate(each_world)

    def inbox(who: str) -> set[str]:
        return {task["id"] for task in each_world.of(who).get("/tasks").json["items"]}

    assert inbox("sales") == {doubt["id"]}
    assert inbox("stock-approver") == {signature["id"]}
    assert inbox("owner") == inbox("admin") == {doubt["id"], signature["id"]}
    assert inbox("shipping") == inbox("analyst") == set()
    assert each_world.of("shipping").get(f"/tasks/{doubt['id']}").status_code == 404
    assert each_world.of("sales").get(f"/tasks/{signature['id']}").status_code == 404


def test_the_inbox_is_filtered(each_world: World) -> None:
    """By team, step, order, words, being mine and being late; an empty filter is none."""
    doubt, signature = doubtful_task(each_world), gate(each_world)
    each_world.of("sales").post(f"/tasks/{doubt['id']}/claim")
    each_world.clock.advance(days=40)

    def inbox(who: str = "owner", **query: Any) -> list[str]:
        return sorted(task["id"] for task in each_world.of(who).get("/tasks", **query).json["items"])

    both = sorted([doubt["id"], signature["id"]])
    assert inbox(team="sales") == [doubt["id"]]
    assert inbox(step=5) == [signature["id"]]
    assert inbox(order=doubt["order"]) == [doubt["id"]]
    assert inbox(q="approval") == [signature["id"]]
    assert inbox("sales", mine="true") == [doubt["id"]]
    assert inbox(mine="1") == []
    assert inbox(overdue="true") == both
    assert inbox(team="", mine="", order="", step="", q="", overdue="") == both


def test_soonest_due_comes_first_and_pages_join(each_world: World) -> None:
    """Whoever works from the top down is never late by order of work."""
    ids = []
    for hours in range(5):
        ids.append(doubtful_task(each_world)["id"])
        with each_world.database.write() as session:
            due = each_world.clock.now() + timedelta(hours=9 - hours)
            session.execute(update(Task).where(Task.id == ids[-1]).values(due_at=due))
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = each_world.of("sales").get("/tasks", limit=2, cursor=cursor).json
        seen += [task["id"] for task in page["items"]]
        cursor = page["next"]

    assert seen == ids[::-1]


def test_a_task_says_all_that_is_needed_to_do_it(world: World) -> None:
    """Its row, the form with a sample that is valid now, instructions; no approval parts."""
    task = doubtful_task(world)

    assert (task["kind"], task["state"], task["team"], task["assignee"]) == ("form", "open", "sales", None)
    assert task["form"]["type"] == "object"
    assert len(task["form"]["examples"]) == 1
    assert task["instructions"]
    assert (task["submission"], task["snapshot"], task["draft"]) == (None, None, None)


# --- claim, release, assign, draft -----------------------------------------------------------------------------------


def test_a_taken_task_is_a_conflict_that_says_who(world: World) -> None:
    """Two people of one team do not do the same work."""
    task = gate(world)
    first = world.of("stock-approver").post(f"/tasks/{task['id']}/claim")
    second = world.of("stock-approver-2").post(f"/tasks/{task['id']}/claim")

    assert (first.status_code, first.json["assignee"]) == (200, "stock-approver")
    assert (second.status_code, second.json["assignee"]) == (409, "stock-approver")
    assert kind_of(second) == "taken"


def test_a_task_is_given_back_and_handed_on(world: World) -> None:
    """Released it is free again; handed on it is the other's."""
    task = gate(world)
    approver = world.of("stock-approver")
    approver.post(f"/tasks/{task['id']}/claim")

    assert approver.post(f"/tasks/{task['id']}/release").json["assignee"] is None
    assert (
        approver.post(f"/tasks/{task['id']}/assign", {"to": "stock-approver-2"}).json["assignee"] == "stock-approver-2"
    )
    for nobody in ("warehouse", "nobody", ""):
        answer = world.of("owner").post(f"/tasks/{task['id']}/assign", {"to": nobody})
        assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "/to")


@pytest.mark.parametrize("data", [{"note": "half a"}, {"colour": [1, {"a": None}]}, ["a list"], "a text", None])
def test_a_draft_is_kept_as_it_is(world: World, data: Any) -> None:
    """Unchecked: what is half typed is rarely valid."""
    task = doubtful_task(world)
    sales = world.of("sales")

    assert sales.put(f"/tasks/{task['id']}/draft", {"data": data}).status_code == 200
    assert sales.get(f"/tasks/{task['id']}").json["draft"] == data
    assert sales.put(f"/tasks/{task['id']}/draft", {}).status_code == 422


# --- completing ------------------------------------------------------------------------------------------------------


def test_the_sample_of_a_form_is_valid_for_the_task(each_world: World) -> None:
    """A client that knows nothing of the shop completes the task with it."""
    task = doubtful_task(each_world)
    sales = each_world.of("sales")

    done = sales.post(f"/tasks/{task['id']}/complete", {"data": task["form"]["examples"][0]})

    assert (done.status_code, done.json["state"], done.json["completed_by"]) == (200, "done", "sales")
    again = sales.get(f"/tasks/{task['id']}").json
    assert (again["state"], again["data"]) == ("done", task["form"]["examples"][0])
    assert sales.get("/tasks").json["items"] == []


def test_a_form_takes_nothing_that_it_does_not_name(world: World) -> None:
    """Another form's field, a decision, a name of the engine's: each is named by its place in the body."""
    task = doubtful_task(world)
    data = {**task["form"]["examples"][0], "parcels": [], "decision": "approve", "typename": "x", "a/b": 1}

    answer = world.of("sales").post(f"/tasks/{task['id']}/complete", {"data": data})

    assert answer.status_code == 422
    named = [error["field"] for error in answer.json["errors"]]
    assert sorted(named) == ["/data/a~1b", "/data/decision", "/data/parcels", "/data/typename"]
    assert world.of("sales").get(f"/tasks/{task['id']}").json["state"] == "open"


@pytest.mark.parametrize(
    "body",
    [{}, {"data": None}, {"data": []}, {"data": "x"}, {"data": {}, "decision": "approve"}, {"decision": "approve"}],
)
def test_a_body_that_is_no_form_is_refused(world: World, body: dict[str, Any]) -> None:
    """Nothing of it is done."""
    task = doubtful_task(world)

    assert world.of("sales").post(f"/tasks/{task['id']}/complete", body).status_code == 422
    assert world.of("sales").get(f"/tasks/{task['id']}").json["state"] == "open"


def test_a_done_task_is_a_conflict(world: World) -> None:
    """Sending twice does it once."""
    task = doubtful_task(world)
    body = {"data": task["form"]["examples"][0]}
    world.of("sales").post(f"/tasks/{task['id']}/complete", body)

    answer = world.of("sales").post(f"/tasks/{task['id']}/complete", body)

    assert (answer.status_code, kind_of(answer)) == (409, "already-done")


def test_a_stale_revision_is_a_conflict(world: World) -> None:
    """Who looked at an older state is told, when the client asks for it."""
    task = doubtful_task(world)
    sales = world.of("sales")
    sales.post(f"/tasks/{task['id']}/claim")

    answer = sales.post(
        f"/tasks/{task['id']}/complete", {"data": task["form"]["examples"][0], "revision": task["revision"]}
    )

    assert (answer.status_code, kind_of(answer)) == (409, "stale-revision")


def test_many_tasks_are_completed_each_by_itself(each_world: World) -> None:
    """One that is refused keeps none of the others back, and says why in the words of its own call."""
    fine, wrong, other = (doubtful_task(each_world) for _ in range(3))
    sales, sample = each_world.of("sales"), fine["form"]["examples"][0]
    items = [{"id": wrong["id"], "data": {**sample, "decision": "approve"}}, {"id": fine["id"], "data": sample},
             {"id": "nobody", "data": sample}, {"id": fine["id"], "data": sample},
             {"id": other["id"], "data": sample, "revision": other["revision"] + 1}]

    answer = sales.post("/tasks/complete", {"items": items})

    assert answer.status_code == 200
    found = answer.json["items"]
    assert [(one["id"], one["status"]) for one in found] == [
        (wrong["id"], 422), (fine["id"], 200), ("nobody", 404), (fine["id"], 409), (other["id"], 409)]
    assert found[0]["problem"]["errors"][0]["field"] == "/items/0/data/decision"
    assert (found[1]["task"]["state"], found[1]["problem"]) == ("done", None)
    assert found[3]["problem"]["type"].endswith("already-done")
    assert [sales.get(f"/tasks/{task['id']}").json["state"] for task in (wrong, other)] == ["open", "open"]


def test_no_more_tasks_than_a_hundred_are_completed_by_one_call(world: World) -> None:
    """And none by a call that names none."""
    sales = world.of("sales")

    for count in (0, 101):
        answer = sales.post("/tasks/complete", {"items": [{"id": "x", "data": {}}] * count})
        assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "/items")


def test_owner_and_admin_see_all_and_do_none(world: World) -> None:
    """They may look and hand over, but no task is theirs."""
    task = doubtful_task(world)

    for who in ("owner", "admin"):
        answer = world.of(who).post(f"/tasks/{task['id']}/complete", {"data": task["form"]["examples"][0]})
        assert (answer.status_code, kind_of(answer)) == (403, "not-allowed")


@pytest.mark.parametrize("call", ["", "/claim", "/release", "/complete", "/decide", "/draft", "/assign"])
@pytest.mark.parametrize("task", ["no-such-task", "%00", "x" * 300])
def test_a_task_that_is_not_there_is_404(world: World, call: str, task: str) -> None:
    """Whatever is asked of it."""
    bodies = {
        "/complete": {"data": {}},
        "/draft": {"data": {}},
        "/assign": {"to": "sales"},
        "/decide": {"decision": "approve", "snapshot": "x", "password": "demo"},
    }
    method = "GET" if not call else "PUT" if call == "/draft" else "POST"
    body = {"json": bodies[call]} if call in bodies else {}

    assert world.of("sales").call(method, f"/tasks/{task}{call}", **body).status_code == 404


# --- signing ---------------------------------------------------------------------------------------------------------


def test_a_gate_shows_exactly_what_is_signed(world: World) -> None:
    """Submission and its hash, what is under review, and whether the caller may sign."""
    task = gate(world)

    assert task["kind"] == "approval"
    assert task["submission"]["order"] == task["order"]
    assert len(task["snapshot"]) == 64
    assert [step["number"] for step in task["approval"]["submits"]] == [3, 4]
    assert task["approval"]["signatures"] == {"have": 0, "need": 1}
    assert task["approval"]["blocked"] is None


def test_an_approval_opens_the_gate(each_world: World) -> None:
    """The answer holds the task and the signatures."""
    task = gate(each_world)

    answer = decide(each_world, "stock-approver", task)

    assert answer.status_code == 200
    assert answer.json["task"]["state"] == "done"
    assert answer.json["signatures"] == {"have": 1, "need": 1}
    assert each_world.of("owner").get(f"/orders/{task['order']}").json["step"]["number"] > 5


@pytest.mark.parametrize("decision", ["reject", "send_back"])
def test_a_no_needs_a_reason(world: World, decision: str) -> None:
    """It is kept in the history."""
    task = gate(world)
    step = {"send_back_to": 3} if decision == "send_back" else {}

    answer = decide(world, "stock-approver", task, decision, **step)

    assert [error["field"] for error in answer.json["errors"]] == ["/comment"]
    assert decide(world, "stock-approver", task, decision, comment="Too many.", **step).status_code == 200


def test_a_gate_is_sent_back_to_a_step_it_names(world: World) -> None:
    """Only to one that may be chosen."""
    task = gate(world)

    for step in (None, 2, 7):
        answer = decide(world, "stock-approver", task, "send_back", comment="Count again.", send_back_to=step)
        assert [error["field"] for error in answer.json["errors"]] == ["/send_back_to"]


def test_whoever_worked_on_the_order_may_not_sign(each_world: World) -> None:
    """Enforced by API as by page, and the attempt is recorded."""
    with each_world.database.write() as session:
        from web.accounts import User

        session.get_one(User, "stock-approver").teams = ["sales", "stock-approvers"]
    task = gate(each_world, by="stock-approver")

    answer = decide(each_world, "stock-approver", task)

    assert (answer.status_code, kind_of(answer)) == (403, "separation-of-duties")
    kinds = [event["kind"] for event in each_world.of("owner").get(f"/orders/{task['order']}/history").json["items"]]
    assert "signature_refused" in kinds
    assert decide(each_world, "stock-approver-2", task).status_code == 200


@pytest.mark.parametrize("who", ["owner", "admin"])
def test_only_the_gates_team_signs(world: World, who: str) -> None:
    """Seeing all is not signing all."""
    answer = decide(world, who, gate(world))

    assert (answer.status_code, kind_of(answer)) == (403, "not-an-approver")


def test_a_stale_snapshot_is_a_conflict(world: World) -> None:
    """What the approver read is what is signed, or nothing is."""
    answer = decide(world, "stock-approver", gate(world), snapshot="0" * 64)

    assert (answer.status_code, kind_of(answer)) == (409, "stale-snapshot")


def test_a_gate_is_decided_once(world: World) -> None:
    """The second comes too late, whatever it says."""
    task = gate(world)
    decide(world, "stock-approver", task)

    answer = decide(world, "stock-approver-2", task, "reject", comment="No.")

    assert (answer.status_code, kind_of(answer)) == (409, "already-decided")


def test_signing_asks_for_the_password(world: World) -> None:
    """A stolen token alone signs nothing; guessing is stopped, and time opens the way again."""
    task = gate(world)
    for _ in range(5):
        answer = decide(world, "stock-approver", task, password="Demo")
        assert (answer.status_code, kind_of(answer)) == (403, "wrong-password")

    stopped = decide(world, "stock-approver", task)
    assert (stopped.status_code, kind_of(stopped)) == (429, "too-many")
    assert int(stopped.headers["Retry-After"]) > 0

    world.wall_clock.advance(minutes=5)
    assert decide(world, "stock-approver", task).status_code == 200


def test_a_gate_has_no_form_and_a_form_no_decision(world: World) -> None:
    """Neither way around the signature."""
    signature, doubt = gate(world), doubtful_task(world)

    answer = world.of("stock-approver").post(f"/tasks/{signature['id']}/complete", {"data": {"decision": "approve"}})
    assert answer.status_code == 422
    assert decide(world, "sales", {**doubt, "snapshot": "0" * 64}).status_code == 404


@pytest.mark.parametrize(
    "change",
    [
        {"decision": "maybe"},
        {"decision": None},
        {"password": ""},
        {"snapshot": ""},
        {"send_back_to": "3"},
        {"comment": 7},
        {"comment": "x" * 5_000},
        {"data": {}},
    ],
)
def test_a_decision_of_the_wrong_shape_is_named(world: World, change: dict[str, Any]) -> None:
    """And nothing is signed."""
    task = gate(world)

    answer = decide(world, "stock-approver", task, **change)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["errors"]] == [f"/{next(iter(change))}"]
    assert world.of("stock-approver").get(f"/tasks/{task['id']}").json["state"] == "open"
