"""A diagram of another tool, from the imported draft to the instance that people have worked to its end."""

from __future__ import annotations

import io
from typing import Any

import pytest

from tests.foreign.diagrams import adonis_c4, bizagi_a4, camunda7_c5
from tests.foreign.mending import sample
from tests.web.api_world import Caller, World
from tests.web.visitor import open_task, visitor

FILE = "processes/x.bpmn"


def imported(analyst: Caller, data: bytes) -> str:
    """A draft of one file, as it came from the other tool."""
    answer = analyst.call("POST", "/drafts/import", content_type="multipart/form-data",
                          data={"diagram": (io.BytesIO(data), "x.bpmn")})  # fmt: skip
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return str(answer.json["id"])


def mended(analyst: Caller, draft: str) -> dict[str, Any]:
    """Presses the first button that there is, until none is left for what is needed."""
    listed = dict(analyst.get(f"/drafts/{draft}/missing").json)
    for _ in range(60):
        buttons = [
            (one, fix) for one in listed["items"] if one["needed"]
            for fix in [one["fix"], *(other["fix"] for other in one["others"])] if fix
        ]
        if not buttons:
            return listed
        one, fix = buttons[0]
        answer = analyst.post(f"/drafts/{draft}/mend", {
            "file": one["file"], "element": one["element"], "fix": fix, "revision": listed["revision"]})
        assert answer.status_code == 200, answer.get_data(as_text=True)
        assert answer.json["changed"]
        listed = answer.json
    raise AssertionError("the fixes do not come to an end")


def deployed(world: World, data: bytes) -> None:
    """Imported, mended, submitted, and consented to by another analyst."""
    analyst = world.of("analyst")
    draft = imported(analyst, data)
    left = mended(analyst, draft)
    assert not [one for one in left["items"] if one["needed"]], left["items"]
    asked = analyst.post(f"/drafts/{draft}/submit", {"reason": "drawn elsewhere", "revision": left["revision"]})
    assert asked.status_code == 202, asked.get_data(as_text=True)
    given = world.of("analyst-2").post(f"/processes/{asked.json['key']}/versions/1/consent")
    assert given.status_code == 200, given.get_data(as_text=True)


@pytest.fixture
def parcels(world: World) -> World:
    """A shop that runs a process of another tool too: weigh, then label and wrap, all for shipping."""
    deployed(world, adonis_c4()[FILE])
    return world


def test_a_foreign_process_is_started_by_the_api_and_worked_to_its_end(parcels: World) -> None:
    """Its tasks come to the team's inbox like any other; the instance ends when the last is done."""
    shipping = parcels.of("shipping")

    begun = shipping.post("/processes/parcel/start", {"business_key": "P-1", "data": {}})
    names = []
    while tasks := shipping.get("/tasks", order="P-1").json["items"]:
        form = shipping.get(f"/tasks/{tasks[0]['id']}").json["form"]
        assert shipping.post(f"/tasks/{tasks[0]['id']}/complete", {"data": sample(form)}).status_code == 200
        names.append(tasks[0]["name"])

    assert (begun.status_code, begun.json["state"]) == (201, "open")
    assert (names[0], sorted(names[1:])) == ("Weigh", ["Label", "Wrap"])
    assert shipping.get(f"/instances/{begun.json['id']}").json["state"] == "closed"
    assert parcels.of("sales").get("/tasks", order="P-1").json["items"] == []


def test_a_foreign_process_is_started_by_the_page(parcels: World) -> None:
    """Whoever is of the first task's team fills in its form right away; the page of the instance says where it is."""
    jonas = visitor(parcels, "shipping")

    assert jonas.goes("/processes").find("//a[@href='/processes/parcel/start']")[0].text == "Start one"
    asked = jonas.goes("/processes/parcel/start")
    page = jonas.sends("/processes/parcel/start", {**asked.form(), "_business_key": "P-2", "/note": "two kilos"})

    assert asked.heading == "Start Parcel"
    assert "You do its first task here: Weigh" in asked.text
    assert page.heading == "P-2"
    assert "P-2 was started" in page.text
    assert "two kilos" in page.text
    for word in ("Customer", "Money", "SSCC", "of 20", "being taken"):
        assert word not in page.find("//main")[0].text_content(), word
    assert sorted(task.name for task in parcels.engine.order_tasks("P-2") if task.state == "open") == ["Label", "Wrap"]
    assert jonas.goes("/orders/P-2/live").status == 200


def test_what_comes_next_is_named_by_its_business_key(parcels: World) -> None:
    """It is no order, so it is not called one."""
    jonas = visitor(parcels, "shipping")
    form = jonas.goes("/processes/parcel/start").form()
    jonas.sends("/processes/parcel/start", {**form, "_business_key": "P-9"})
    task, other = [task for task in parcels.engine.order_tasks("P-9") if task.state == "open"]
    address = f"/tasks/{task.id}"

    done = jonas.sends(address, jonas.goes(address).form(address), _action="complete")

    assert f"{task.name} for P-9 is done." in done.text
    assert done.text.startswith(f"{other.name}, P-9"), "the next task is open"


def test_others_start_it_for_the_team(parcels: World) -> None:
    """Who is of another team fills in nothing that is not theirs: the first task waits in its team's inbox."""
    anna, jonas = visitor(parcels, "sales"), visitor(parcels, "shipping")

    asked = anna.goes("/processes/parcel/start")
    page = anna.sends("/processes/parcel/start", {**asked.form(), "_business_key": "P-3", "/note": "not mine"})

    assert "waits in the inbox of Shipping" in asked.text
    assert page.heading == "P-3"
    assert parcels.engine.instance("P-3").variables == {}
    assert "P-3" in jonas.goes("/inbox").text
    task = jonas.goes(f"/tasks/{open_task(parcels, 'P-3')}")
    assert (task.status, task.heading) == (200, "Weigh")


def test_a_business_key_is_a_plain_word_and_never_used_twice(parcels: World) -> None:
    """What was typed stays; nothing is started."""
    jonas = visitor(parcels, "shipping")
    form = jonas.goes("/processes/parcel/start").form()
    order = parcels.place()
    jonas.sends("/processes/parcel/start", {**form, "_business_key": "P-4"})

    for key, words in (("", "Enter a business key"), ("no good", "Use letters"), ("P-4", "P-4 is taken"),
                       (order, f"{order} is taken")):  # fmt: skip
        page = jonas.sends("/processes/parcel/start", {**form, "_business_key": key, "/note": "kept"})
        assert page.status == 422
        assert words in page.text
        assert page.value("/note") == "kept"
    assert [one.business_key for one in parcels.engine.instances("parcel").items] == ["P-4"]


def test_a_start_form_gives_the_first_variables(world: World) -> None:
    """The fields of the other tool's start event are asked for before anything runs, and conditions read them."""
    deployed(world, camunda7_c5()[FILE])
    priya = visitor(world, "finance")

    form = priya.goes("/processes/request/start").form()
    wrong = priya.sends("/processes/request/start", {**form, "_business_key": "R-1", "/amount": "many"})
    empty = priya.sends("/processes/request/start", {**form, "_business_key": "R-1", "/amount": ""})
    page = priya.sends("/processes/request/start", {**form, "_business_key": "R-1", "/amount": "500"})

    assert (wrong.status, empty.status) == (422, 422)
    assert page.heading == "R-1"
    assert world.engine.instance("R-1").variables == {"amount": 500}
    assert [task.name for task in world.engine.order_tasks("R-1")] == ["Check"]


def test_orders_are_not_started_there(parcels: World) -> None:
    """An order is taken with its number on the page of orders; a process that is not deployed is not found."""
    anna = visitor(parcels, "sales")

    assert anna.goes("/processes/order_fulfillment/start").heading == "Orders"
    assert anna.goes("/processes/gone/start").status == 404


def test_what_a_draft_lacks_names_the_fix_and_the_revision(world: World) -> None:
    """Each item says what is missing and what the button does; a button of an older list changes nothing."""
    analyst = world.of("analyst")
    draft = imported(analyst, bizagi_a4()[FILE])

    listed = analyst.get(f"/drafts/{draft}/missing").json
    first = listed["items"][0]
    asked = {"file": FILE, "element": first["element"], "fix": first["fix"], "revision": listed["revision"]}
    once = analyst.post(f"/drafts/{draft}/mend", asked)
    again = analyst.post(f"/drafts/{draft}/mend", {**asked, "revision": once.json["revision"]})
    stale = world.of("analyst-2").post(f"/drafts/{draft}/mend", asked)

    assert (first["rule"], first["fix"], first["label"]) == (
        "not-executable", "executable", "Mark the process as executable")
    assert (once.status_code, once.json["changed"], once.json["revision"]) == (200, [FILE], listed["revision"] + 1)
    assert (again.status_code, again.json["type"]) == (409, "/problems/conflict")
    assert (stale.status_code, stale.json["type"]) == (409, "/problems/draft-changed")
    assert world.of("sales").get(f"/drafts/{draft}/missing").status_code == 403
    assert analyst.get("/drafts/gone/missing").status_code == 404
    found = analyst.post(f"/drafts/{draft}/check").json["findings"]
    assert [one["fix"] for one in found if one["rule"] == "unsupported-task"] == ["user-task"]
