"""Gates over HTTP: several at once, an emergency, its alarm, and delegations."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from engine.approvals import MOST_AT_ONCE
from tests.web.api_world import World
from tests.web.second_factor import with_second_factor
from tests.web.test_api_tasks import gate, kind_of

REASON = "Both approvers are ill and the truck leaves at noon."
WHO = "stock-approver"


def fields_of(answer: Any) -> list[str]:
    assert answer.status_code == 422, answer.get_data(as_text=True)
    return [error["field"] for error in answer.json["errors"]]


def together(world: World, *tasks: dict[str, Any], who: str = WHO, **changes: Any) -> Any:
    items = [{"id": task["id"], "snapshot": task["snapshot"]} for task in tasks]
    return world.of(who).post("/tasks/decide", {"items": items, "password": "demo", **changes})


def override(world: World, task: dict[str, Any], who: str = "owner", **changes: Any) -> Any:
    body = {"reason": REASON, "snapshot": task["snapshot"], "password": "demo", **changes}
    return world.of(who).post(f"/tasks/{task['id']}/override", body)


def terms(world: World, **changes: Any) -> dict[str, Any]:
    now = world.clock.now()
    return {"to": "payment-approver", "team": "stock-approvers", "starts_at": now.isoformat(),
            "ends_at": (now + timedelta(days=2)).isoformat(), "reason": "Holiday.", **changes}


def lent(world: World) -> str:
    """The id of a delegation from the stock approver to the payment approver."""
    made = world.of(WHO).post("/delegations", terms(world))
    assert made.status_code == 201, made.get_data(as_text=True)
    return str(made.json["id"])


def alarm(world: World) -> int:
    """The id of an alarm that the owner has raised."""
    assert override(world, gate(world)).status_code == 200
    return int(world.of(WHO).get("/alarms").json["items"][0]["id"])


# --- several at once -------------------------------------------------------------------------------------------------


def test_several_gates_are_approved_each_with_its_own_result(each_world: World) -> None:
    """What the gate's own call would have said stands beside each, and one refusal keeps none back."""
    fresh, stale, last = gate(each_world), gate(each_world), gate(each_world)

    items = together(each_world, fresh, {**stale, "snapshot": "old"}, {"id": "gone", "snapshot": "x"}, last
                     ).json["items"]

    assert [(one["id"], one["status"]) for one in items] == [
        (fresh["id"], 200), (stale["id"], 409), ("gone", 404), (last["id"], 200)
    ]
    assert [one["problem"] and one["problem"]["type"].rpartition("/")[2] for one in items] == [
        None, "stale-snapshot", "not-found", None
    ]
    assert (items[0]["task"]["state"], items[0]["signatures"]) == ("done", {"have": 1, "need": 1})
    assert each_world.of(WHO).get(f"/tasks/{stale['id']}").json["state"] == "open"


def test_more_than_twenty_sign_nothing(world: World) -> None:
    task = gate(world)

    answer = together(world, *([task] * (MOST_AT_ONCE + 1)))

    assert fields_of(answer) == ["/items", *(f"/items/{place}/id" for place in range(1, MOST_AT_ONCE))]
    assert world.of(WHO).get(f"/tasks/{task['id']}").json["state"] == "open"


@pytest.mark.parametrize(("body", "field"), [
    ({"items": []}, "/items"), ({"items": [{"id": "a"}]}, "/items/0/snapshot"), ({"password": ""}, "/password"),
    ({"items": [{"id": "a", "snapshot": "b", "decision": "reject"}]}, "/items/0/decision"),
])
def test_what_is_wrong_with_several_is_named(world: World, body: dict[str, Any], field: str) -> None:
    assert fields_of(together(world, gate(world), **body)) == [field]


def test_another_teams_gate_is_not_there(world: World) -> None:
    [one] = together(world, gate(world), who="payment-approver").json["items"]

    assert (one["status"], one["task"]) == (404, None)


# --- password and code -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", [together, override])
def test_each_way_to_sign_asks_for_the_password_and_the_code(world: World, call: Any) -> None:
    """A wrong one signs nothing, and the history says who tried."""
    task, who = gate(world), {together: WHO, override: "owner"}[call]
    wrong = call(world, task, who=who, password="wrong")
    with_second_factor(world, who)
    without = call(world, task, who=who)

    assert [(each.status_code, kind_of(each)) for each in (wrong, without)] == [
        (403, "wrong-password"), (403, "wrong-code")
    ]
    events = world.of("owner").get(f"/orders/{task['order']}/history").json["items"]
    assert [event["actor"] for event in events if event["kind"] == "signature_refused"] == [who, who]
    assert world.of(WHO).get(f"/tasks/{task['id']}").json["state"] == "open"


# --- an emergency and its alarm --------------------------------------------------------------------------------------


def test_the_owner_opens_a_gate_and_an_alarm_stays(each_world: World) -> None:
    task = gate(each_world)

    assert override(each_world, task).json["state"] == "done"

    raised, = each_world.of(WHO).get("/alarms").json["items"]
    assert (raised["order"], raised["raised_by"], raised["why"], raised["acknowledged_by"]) == (
        task["order"], "owner", REASON, None
    )
    assert kind_of(override(each_world, task)) == "already-decided"


@pytest.mark.parametrize(("who", "answer"), [
    ("admin", (403, "not-allowed")), (WHO, (403, "not-allowed")), ("sales", (404, "not-found")),
])
def test_nobody_else_opens_it(world: World, who: str, answer: tuple[int, str]) -> None:
    refused = override(world, gate(world), who=who)
    assert (refused.status_code, kind_of(refused)) == answer


@pytest.mark.parametrize(("change", "field"), [
    ({"reason": "Hurry."}, "/reason"), ({"reason": " " * 30}, "/reason"), ({"snapshot": ""}, "/snapshot"),
    ({"comment": "x"}, "/comment"),
])
def test_what_is_wrong_with_an_emergency_is_named(world: World, change: dict[str, Any], field: str) -> None:
    assert fields_of(override(world, gate(world), **change)) == [field]


def test_a_page_that_is_out_of_date_opens_nothing(world: World) -> None:
    refused = override(world, gate(world), snapshot="old")
    assert (refused.status_code, kind_of(refused)) == (409, "stale-snapshot")


def test_an_alarm_is_acknowledged_once_by_somebody_else(each_world: World) -> None:
    """A second time is a conflict and changes nothing."""
    number = alarm(each_world)
    path = f"/alarms/{number}/acknowledge"
    by_owner = each_world.of("owner").post(path, {"note": "All in order."})
    assert (by_owner.status_code, kind_of(by_owner)) == (403, "not-allowed")
    assert each_world.of("sales").post(path, {"note": "Fine."}).status_code == 403
    assert each_world.of("payment-approver").post(path, {"note": "Fine."}).status_code == 404

    first = each_world.of(WHO).post(path, {"note": "I have counted."})
    again = each_world.of("stock-approver-2").post(path, {"note": "I too."})

    assert (first.json["acknowledged_by"], first.json["note"]) == (WHO, "I have counted.")
    assert (again.status_code, kind_of(again)) == (409, "conflict")
    assert each_world.of("owner").get("/alarms").json["items"] == []
    assert [one["note"] for one in each_world.of("owner").get("/alarms", all="true").json["items"]] == [
        "I have counted."
    ]


@pytest.mark.parametrize("note", ["", "  ", "x" * 5000])
def test_an_alarm_needs_a_note(world: World, note: str) -> None:
    assert fields_of(world.of(WHO).post(f"/alarms/{alarm(world)}/acknowledge", {"note": note})) == ["/note"]


@pytest.mark.parametrize("number", ["999", "x", "9" * 30])
def test_an_alarm_that_is_not_there_is_404(world: World, number: str) -> None:
    assert world.of(WHO).post(f"/alarms/{number}/acknowledge", {"note": "Seen."}).status_code == 404


# --- delegations -----------------------------------------------------------------------------------------------------


def test_a_delegation_is_made_used_and_revoked(each_world: World) -> None:
    """From then on the delegate signs; revoked, the gate is not there for them; revoked again it is a conflict."""
    made = lent(each_world)
    task, later = gate(each_world), gate(each_world)
    grace = each_world.of("payment-approver")
    assert [(one["id"], one["state"]) for one in grace.get("/delegations", state="running").json["items"]] == [
        (made, "running")
    ]
    assert together(each_world, task, who="payment-approver").json["items"][0]["status"] == 200

    first = grace.post(f"/delegations/{made}/revoke")
    again = each_world.of(WHO).post(f"/delegations/{made}/revoke", {"reason": "Back."})

    assert (first.json["state"], first.json["revoked_by"]) == ("revoked", "payment-approver")
    assert (again.status_code, kind_of(again)) == (409, "conflict")
    assert each_world.of(WHO).get("/delegations").json["items"][0]["revoked_by"] == "payment-approver"
    assert together(each_world, later, who="payment-approver").json["items"][0]["status"] == 404


def test_a_delegation_with_an_upper_amount_says_so_and_holds_below_it(each_world: World) -> None:
    limit = {"amount": 100, "currency": "USD"}
    made = each_world.of(WHO).post("/delegations", terms(each_world, up_to=limit))
    assert (made.status_code, made.json["up_to"]) == (201, limit)
    task = gate(each_world)

    refused = together(each_world, task, who="payment-approver").json["items"][0]

    assert (refused["status"], refused["problem"]["detail"]) == (
        403, "This order is above the amount up to which you sign for Helena Brandt."
    )
    review = each_world.of("owner").get("/access-review").json["rights"]
    assert [right["up_to"] for right in review if right["lent_by"]] == [limit]


def test_others_neither_see_it_nor_end_it(world: World) -> None:
    made = lent(world)

    assert world.of("sales").get("/delegations").json["items"] == []
    assert world.of("sales").post(f"/delegations/{made}/revoke").status_code == 404
    refused = world.of("owner").post(f"/delegations/{made}/revoke")
    assert (refused.status_code, kind_of(refused)) == (403, "not-allowed")
    assert world.of("owner").get("/delegations").json["items"][0]["state"] == "running"


@pytest.mark.parametrize(("change", "field"), [
    ({"to": ""}, "/to"), ({"to": "nobody"}, "/to"), ({"to": WHO}, "/to"), ({"to": "stock-approver-2"}, "/to"),
    ({"team": "payment-approvers"}, "/team"), ({"gates": ["approve_payment"]}, "/gates"),
    ({"starts_at": "soon"}, "/starts_at"), ({"ends_at": "soon"}, "/ends_at"),
    ({"ends_at": "2099-01-01T00:00:00Z"}, "/ends_at"), ({"reason": " "}, "/reason"), ({"until": 1}, "/until"),
    ({"up_to": {"amount": 0, "currency": "USD"}}, "/up_to/amount"),
    ({"up_to": {"amount": 1, "currency": "XYZ"}}, "/up_to/currency"), ({"up_to": 5000}, "/up_to"),
])  # fmt: skip
def test_what_is_wrong_with_a_delegation_is_named(world: World, change: dict[str, Any], field: str) -> None:
    assert field in fields_of(world.of(WHO).post("/delegations", terms(world, **change)))


def test_nobody_lends_what_is_anothers(world: World) -> None:
    refused = world.of("payment-approver").post("/delegations", terms(world, principal=WHO, to="finance"))
    assert (refused.status_code, kind_of(refused)) == (403, "not-allowed")


# --- no approval as data ---------------------------------------------------------------------------------------------


def test_an_order_is_not_started_with_an_approval(world: World) -> None:
    """What starts an order is the form of step 1, which has no such field."""
    data = {"approve_reservation": {"decision": "approve"}}

    answer = world.of("sales").post("/processes/order_fulfillment/start", {"business_key": "WB-7", "data": data})

    assert "/data/approve_reservation" in fields_of(answer)


@pytest.mark.parametrize(("method", "path"), [
    ("POST", "/tasks/decide"), ("POST", "/tasks/x/override"), ("GET", "/alarms"), ("POST", "/alarms/1/acknowledge"),
    ("GET", "/delegations"), ("POST", "/delegations"), ("POST", "/delegations/x/revoke"),
])
def test_strangers_are_asked_to_sign_in(world: World, method: str, path: str) -> None:
    assert world.of(None).call(method, path, json={}).status_code == 401
