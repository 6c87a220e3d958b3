"""Incidents on pages and by API: grouped by cause, tried again one or all, resolved by hand with a reason."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from engine.incidents import SAMPLE
from engine.store.tables import Job
from handlers.contract import GiveUp
from handlers.tables import Order
from tests.scenarios.shop import Shop
from tests.scenarios.test_unforeseen import broken, faulty
from tests.web.api_world import World
from tests.web.sqlcount import statements
from tests.web.visitor import visitor

ERROR = "The provider does not know our account."


def payment_dead(world: World) -> str:
    """An order whose payment gave up; its number."""
    shop = Shop(app_parts(world), world.clock)
    faulty(shop, "payment.capture", "perform", GiveUp(ERROR))
    order = shop.places_order()
    order.is_approved("approve_reservation")
    return order.number


def app_parts(world: World) -> Any:
    """What a shop of scenarios needs of the installation behind the API."""
    class Parts:
        engine = world.engine
    return Parts


def timers_dead(world: World, count: int) -> list[str]:
    """Orders of which a timer gave up, all for one cause; the ids of the jobs."""
    for _ in range(count):
        world.place()
    with world.database.write() as session:
        session.execute(update(Job).where(Job.kind == "timer").values(state="dead", error="No 17 is silent."))
    return [job.id for incident in world.engine.incidents() for job in incident.jobs]


# --- API


def test_incidents_are_listed_by_cause_and_tried_again_together(each_world: World) -> None:
    """The cause that the list gives is what a retry takes; each job has its own answer."""
    ids = timers_dead(each_world, 2)
    owner = each_world.of("owner")

    [cause] = owner.get("/incidents").json["items"]
    assert (cause["count"], cause["orders"], cause["title"], cause["kind"]) == (2, 2, "No 17 is silent.", "timer")
    assert {job["id"] for job in cause["jobs"]} == set(ids)
    tried = owner.post("/incidents/retry", {"cause": cause["cause"]}).json["items"]

    assert {(one["id"], one["problem"]) for one in tried} == {(job_id, None) for job_id in ids}
    assert owner.get("/incidents").json["items"] == []
    again = owner.post("/incidents/retry", {"ids": [ids[0], "nothing"]}).json["items"]
    assert [one["problem"] for one in again] == ["This is no open incident any more.", "There is no such job."]


def test_an_incident_is_resolved_by_hand(each_world: World) -> None:
    """With a reason and a result; again it is a conflict."""
    number = payment_dead(each_world)
    owner = each_world.of("owner")
    [job] = owner.get("/jobs", state="dead").json["items"]

    answer = owner.post(f"/jobs/{job['id']}/resolve", {"reason": "Paid in cash.", "result": {"reference": "4711"}})

    assert (answer.status_code, answer.json["state"]) == (200, "resolved")
    events = owner.get(f"/orders/{number}/history").json["items"]
    assert [(e["actor"], e["step"]) for e in events if e["kind"] == "resolved"] == [("owner", 7)]
    assert each_world.engine.instance(number).variables["payment"] == {"status": "by_hand", "reference": "4711"}
    assert owner.post(f"/jobs/{job['id']}/resolve", {"reason": "Again."}).status_code == 409
    assert owner.get("/jobs", state="resolved").json["items"][0]["id"] == job["id"]


@pytest.mark.parametrize(("body", "field"), [
    ({}, "/reason"), ({"reason": ""}, "/reason"), ({"reason": "  "}, "/reason"), ({"reason": "x" * 1001}, "/reason"),
    ({"reason": "x", "result": [1]}, "/result"), ({"reason": "x", "result": {"a": 1}}, "/result"),
])
def test_a_resolution_that_says_too_little_is_422(world: World, body: dict[str, Any], field: str) -> None:
    """A reason is needed; a result only where something waits for one, here a timer."""
    [job_id] = timers_dead(world, 1)

    answer = world.of("owner").post(f"/jobs/{job_id}/resolve", body)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["errors"]] == [field]


@pytest.mark.parametrize("body", [{}, {"ids": []}, {"cause": "a", "ids": ["b"]}, {"cause": None}, {"ids": ["x"] * 501}])
def test_a_retry_that_names_nothing_or_too_much_is_422(world: World, body: dict[str, Any]) -> None:
    """Either a cause or ids."""
    assert world.of("owner").post("/incidents/retry", body).status_code == 422


def test_who_may_not_retry_may_not_resolve(world: World) -> None:
    """Approvers look on."""
    [job_id] = timers_dead(world, 1)
    approver = world.of("stock-approver")

    assert approver.get("/incidents").status_code == 200
    assert approver.post(f"/jobs/{job_id}/resolve", {"reason": "x"}).status_code == 403
    assert approver.post("/incidents/retry", {"ids": [job_id]}).status_code == 403
    assert world.of("owner").post("/jobs/nothing/resolve", {"reason": "x"}).status_code == 404


# --- pages


def test_a_person_resolves_an_incident_by_hand(world: World) -> None:
    """From the list by a link, without a script; what was typed survives a mistake."""
    number = payment_dead(world)
    who = visitor(world, "finance")

    page = who.goes(who.goes("/incidents").link("Resolve by hand"))
    assert ERROR in page.text
    assert "as payment" in page.text
    action = next(form.action for form in page.tree.forms if form.action.endswith("/resolve"))
    form = page.form("/resolve")

    for reason, result, says in (("", "{}", "Say what was done"), ("Cash.", "{", "This is not JSON"),
                                 ("Cash.", "[1]", "Write an object")):
        wrong = who.sends(action, {**form, "reason": reason, "result": result})
        assert wrong.status == 422
        assert says in wrong.text
        assert (wrong.value("reason").strip(), wrong.value("result").strip()) == (reason, result)

    done = who.sends(action, {**form, "reason": "Paid in cash.", "result": '{"reference": "4711"}'})

    assert f"of {number} is resolved by hand." in done.text
    assert "Nothing has given up" in done.text
    order = who.goes(f"/orders/{number}").text
    assert "resolved “Capture customer payment” by hand" in order
    assert "Paid in cash." in order
    assert who.goes(page.link(number)).status == 200
    assert who.sends(action, {**form, "reason": "Again."}).status == 409
    assert who.goes(action.removesuffix("/resolve")).status == 409
    assert who.goes("/incidents/nothing").status == 404


def test_work_that_nobody_waits_for_asks_for_no_result(world: World) -> None:
    """What resolving means is said before it is done."""
    [job_id] = timers_dead(world, 1)

    page = visitor(world, "owner").goes(f"/incidents/{job_id}")

    assert page.find("//textarea[@name='result']") == []
    assert "The timer does not fire any more" in page.text


def test_a_cause_with_many_orders_shows_some_and_is_tried_again_whole(world: World) -> None:
    """The oldest are shown; the button takes them all. The page asks no more of the database for more orders."""
    who = visitor(world, "owner")
    timers_dead(world, 1)
    with statements(world.database) as few:
        who.goes("/incidents")
    timers_dead(world, SAMPLE + 1)
    with statements(world.database) as many:
        page = who.goes("/incidents")

    assert len(few) == len(many)
    assert "And 2 more." in page.text
    after = who.sends("/incidents/retry", page.form("/incidents/retry"))
    assert f"{SAMPLE + 2} jobs are being tried again." in after.text
    gone = who.sends("/incidents/retry", page.form("/incidents/retry"))
    assert "This has been dealt with already." in gone.text


def test_whoever_may_not_retry_sees_no_buttons(world: World) -> None:
    """Approvers look on."""
    [job_id] = timers_dead(world, 1)
    who = visitor(world, "stock-approver")

    page = who.goes("/incidents")

    assert "Resolve by hand" not in page.text
    assert who.goes(f"/incidents/{job_id}").status == 403


def test_an_approval_that_does_not_hold_shows_what_changed_and_two_ways_on(world: World) -> None:
    """Nothing can be typed in: it is put right and tried again, or the order is cancelled."""
    shop = Shop(app_parts(world), world.clock)
    order = shop.places_order().goes_to("package_products")
    with world.database.write() as session:
        session.get_one(Order, order.number).customer_name = "Somebody Else"
    order.does("package_products")
    owner = visitor(world, "owner")
    [stopped] = order.incidents()

    assert "What to do" in owner.goes("/incidents").text
    on_order = owner.goes(f"/orders/{order.number}")
    assert on_order.link("What to do") == f"/incidents/{stopped.id}"
    assert "Resolve by hand" not in on_order.text
    page = owner.goes(f"/incidents/{stopped.id}")

    assert "What was signed has changed: customer." in page.text
    assert "Put right what changed, so that it is what was signed again. Then try it again." in page.text
    assert "Cancel the order on its page" in page.text
    assert not page.find("//textarea")
    address = f"/incidents/{stopped.id}/resolve"
    assert owner.sends(address, {**page.form("/retry"), "reason": "Never mind."}).status == 409
    assert [job.id for job in order.incidents()] == [stopped.id]


def test_a_step_that_says_how_many_sign_is_not_typed_in(world: World) -> None:
    """The page says why, before anybody fills anything in."""
    shop = Shop(app_parts(world), world.clock)
    shop.replaces("inventory.reserve", broken)
    [stopped] = shop.places_order().incidents()

    owner = visitor(world, "owner")
    on_order = owner.goes(f"/orders/{stopped.order}")
    assert on_order.link("What to do") == f"/incidents/{stopped.id}"
    assert "Resolve by hand" not in on_order.text
    page = owner.goes(f"/incidents/{stopped.id}")

    assert "reservation, belongs to the approval of “Approval: Inventory Reservation”" in page.text
    assert not page.find("//textarea")
    answer = world.of("owner").post(f"/jobs/{stopped.id}/resolve", {"reason": "x", "result": {"ordered_together": 1}})
    assert answer.status_code == 409
