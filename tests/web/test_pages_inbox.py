"""The inbox as a day's work: what comes next, two windows, several ticked, and what a page asks of the database."""

from __future__ import annotations

import json

import pytest

from engine.tasklists import Wanted
from engine.views import Actor
from tests.web.api_world import World
from tests.web.sqlcount import statements
from tests.web.test_pages_scanning import placed_at
from tests.web.test_pages_tasks import DOUBTFUL
from tests.web.visitor import Page, Visitor, as_inputs, open_task, visitor

COLLEAGUE = Actor("nadia", frozenset({"sales"}))
MOST = 12
"""Statements of a page."""


def doubtful(world: World, name: str = "Mia Tanaka", **more: object) -> tuple[str, str]:
    """An order that step 2 hands to sales, and its task."""
    number = world.place(customer={**DOUBTFUL, "name": name}, **more)
    world.work()
    return number, open_task(world, number)


def completes(world: World, who: Visitor, order: str, query: str = "") -> Page:
    """The form with what is valid now."""
    task = open_task(world, order)
    form = who.goes(f"/tasks/{task}{query}").form(f"/tasks/{task}")
    valid = as_inputs(dict(world.task_of(order)["form"]["examples"][0]))
    return who.sends(f"/tasks/{task}{query}", {**form, **valid}, _action="complete")


def test_the_next_of_the_list_opens_after_one_is_done(world: World) -> None:
    """Not one that a colleague has; a line says what was done, and leads back to the list."""
    first, _ = doubtful(world, "Ana Silva")
    _, held = doubtful(world, "Ben Okafor")
    third, _ = doubtful(world, "Cleo Marsh")
    world.engine.claim(held, COLLEAGUE)
    sales = visitor(world, "sales")

    page = completes(world, sales, first, "?team=sales")

    assert f"for {first} is done." in page.text
    assert page.answer.request.path == f"/tasks/{open_task(world, third)}"
    assert page.link("Back to the list") == "/inbox?team=sales"


def test_the_list_goes_on_where_it_was_left(world: World) -> None:
    """After the last it begins again with the first."""
    tasks = {}
    for name in ("Ana Silva", "Ben Okafor", "Cleo Marsh"):
        order, task = doubtful(world, name)
        tasks[order] = task
        world.clock.advance(minutes=1)
    first, second, third = tasks
    sales = visitor(world, "sales")

    assert completes(world, sales, second, "?team=sales").answer.request.path == f"/tasks/{tasks[third]}"
    assert completes(world, sales, third, "?team=sales").answer.request.path == f"/tasks/{tasks[first]}"


def test_an_order_is_followed_before_the_list(world: World) -> None:
    """Whoever has picked the goods packs them, though another order waits longer."""
    other, mine = placed_at(world, 9), placed_at(world, 9)
    warehouse = visitor(world, "warehouse")

    page = completes(world, warehouse, mine, "?team=warehouse")

    assert page.answer.request.path == f"/tasks/{open_task(world, mine)}"
    assert open_task(world, mine) != open_task(world, other)


def test_a_colleague_may_have_the_orders_next_task_already(world: World) -> None:
    """Then the list goes on."""
    other, mine = placed_at(world, 9), placed_at(world, 9)
    mei = Actor("warehouse", frozenset({"warehouse"}))
    done = world.engine.task(open_task(world, mine), mei).task
    completes(world, visitor(world, "warehouse"), mine)
    world.engine.claim(open_task(world, mine), Actor("kofi", frozenset({"warehouse"})))

    following = world.engine.next_task(mei, done, Wanted(team="warehouse"))

    assert following is not None
    assert following.order == other


def test_what_another_window_typed_is_not_overwritten(world: World) -> None:
    """The page says who saved when. Either way nothing is lost, without a script too."""
    _, task = doubtful(world)
    sales = visitor(world, "sales")
    here = sales.goes(f"/tasks/{task}").form(f"/tasks/{task}")
    sales.sends(f"/tasks/{task}", {**here, "/phone": "there"}, _action="draft")

    refused = sales.sends(f"/tasks/{task}", {**here, "/phone": "here"}, _action="complete")

    assert refused.status == 409
    assert "Another window saved this at 08:00" in refused.text
    assert refused.value("/phone") == "here"
    form = refused.form(f"/tasks/{task}")
    other = sales.sends(f"/tasks/{task}", form, _action="theirs")
    assert other.value("/phone") == "there"
    back = sales.sends(f"/tasks/{task}", other.form(f"/tasks/{task}") | {"_mine": other.value("_mine")}, _action="mine")
    assert back.value("/phone") == "here"


def test_what_is_here_is_kept_on_request(world: World) -> None:
    """Over the newest draft, which the page has named."""
    _, task = doubtful(world)
    sales = visitor(world, "sales")
    here = sales.goes(f"/tasks/{task}").form(f"/tasks/{task}")
    sales.sends(f"/tasks/{task}", {**here, "/phone": "there"}, _action="draft")
    refused = sales.sends(f"/tasks/{task}", {**here, "/phone": "here"}, _action="draft")

    kept = sales.sends(f"/tasks/{task}", refused.form(f"/tasks/{task}") | {"_newest": refused.value("_newest")},
                       _action="keep")

    assert (kept.status, kept.value("/phone")) == (200, "here")


def test_a_save_of_the_page_tells_of_another_window(world: World) -> None:
    """409 with what the page then shows; and typing takes a free task."""
    _, task = doubtful(world)
    sales = visitor(world, "sales")
    form = sales.goes(f"/tasks/{task}").form(f"/tasks/{task}")

    first = sales.client.post(f"/tasks/{task}/draft", data={**form, "/phone": "here"})
    second = sales.client.post(f"/tasks/{task}/draft", data={**form, "/phone": "there"})

    assert (first.status_code, first.json["revision"]) == (200, 1)
    assert "The task is yours now" in first.json["said"]
    assert "Yours since" in first.json["claim"]
    assert second.status_code == 409
    assert "Another window saved this" in second.json["changed"]


def test_the_api_refuses_a_draft_on_an_older_one(world: World) -> None:
    """Only when it names the revision it builds on."""
    _, task = doubtful(world)
    api = world.of("sales")
    assert api.put(f"/tasks/{task}/draft", {"data": {"a": 1}, "revision": 0}).json["draft_revision"] == 1

    stale = api.put(f"/tasks/{task}/draft", {"data": {"a": 2}, "revision": 0})

    assert (stale.status_code, stale.json["revision"]) == (409, 1)
    assert stale.json["type"].endswith("/draft-changed")
    assert api.put(f"/tasks/{task}/draft", {"data": {"a": 3}}).json["draft_revision"] == 2


def test_signing_in_again_returns_to_the_task_with_its_draft(world: World) -> None:
    """Also when the form was sent after the session had ended."""
    _, task = doubtful(world)
    sales = visitor(world, "sales")
    form = sales.goes(f"/tasks/{task}").form(f"/tasks/{task}")
    sales.client.post(f"/tasks/{task}/draft", data={**form, "/phone": "half"})
    sales.sends("/sign-out", sales.goes("/inbox").form("/sign-out"))

    asked = sales.sends(f"/tasks/{task}", {**form, "/phone": "half"}, _action="complete")
    sent = {**asked.form(), "name": "sales", "password": "demo"}
    page = sales.sends("/sign-in", sent)

    assert page.answer.request.path == f"/tasks/{task}"
    assert page.value("/phone") == "half"


def test_a_session_that_ended_elsewhere_leads_back_to_the_task(world: World) -> None:
    """The browser still has its cookie; what it sends leads to the sign-in, and from there to the task."""
    _, task = doubtful(world)
    sales = visitor(world, "sales")
    form = sales.goes(f"/tasks/{task}").form(f"/tasks/{task}")
    admin = visitor(world, "admin")
    admin.sends("/people/sales/sign-out", admin.goes("/people/sales").form("/sign-out"))

    for address in (f"/tasks/{task}?view=mine", f"/tasks/{task}/claim?view=mine"):
        asked = sales.sends(address, form, _action="complete")
        assert asked.value("next") == f"/tasks/{task}?view=mine", address


def test_a_task_that_is_open_again_is_not_called_done(world: World) -> None:
    """Details that are still in doubt come back at once, with why."""
    order, task = doubtful(world)
    sales = visitor(world, "sales")
    form = sales.goes(f"/tasks/{task}").form(f"/tasks/{task}")

    page = sales.sends(f"/tasks/{task}", form, _action="complete")

    assert open_task(world, order) != task
    said = page.find("//div[@data-forget]")[0].text_content()
    assert f"Correct customer details for {order} was taken, and is to be done once more: " in said
    assert "is done" not in said


@pytest.mark.parametrize("form", ["decide", "claim", "take-over", "draft"])
def test_going_back_to_a_forms_address_shows_its_task(world: World, form: str) -> None:
    """After a wrong password the browser stands at the form's address, which only takes what is sent."""
    _, task = doubtful(world)

    page = visitor(world, "sales").goes(f"/tasks/{task}/{form}?view=mine")

    assert (page.status, page.answer.request.full_path) == (200, f"/tasks/{task}?view=mine")


def test_a_successor_reads_who_typed_the_draft(world: World) -> None:
    """Beside the form."""
    _, task = doubtful(world)
    world.engine.save_task_draft(task, COLLEAGUE, {"phone": "half"}, claim=True)
    world.engine.release(task, COLLEAGUE)

    page = visitor(world, "sales").goes(f"/tasks/{task}")

    assert "Draft typed by nadia, saved 08:00" in page.text


def test_a_search_by_sku_or_customer_counts_what_it_finds(world: World) -> None:
    """The numbers of the tabs are those of the search."""
    doubtful(world, "Ana Silva", items=[{"sku": "product-e", "quantity": 1}])
    doubtful(world, "Ben Okafor", items=[{"sku": "product-a", "quantity": 1}])
    sales = visitor(world, "sales")

    for text, found in (("product-e", "1"), ("okafor", "1"), ("wb-", "2"), ("100%25", "0")):
        page = sales.goes(f"/inbox?q={text}")
        assert page.find("//nav[@aria-label='Filter']//*[@data-told='teams']")[0].text == found, text
    found = world.of("sales").get("/tasks", q="product-e").json["items"]
    assert len(found) == 1


def test_tasks_ticked_in_the_list_are_filled_in_together(world: World) -> None:
    """Without a script: boxes of the list, one button, one form."""
    tasks = [doubtful(world, name)[1] for name in ("Ana Silva", "Ben Okafor", "Cleo Marsh")]
    sales = visitor(world, "sales")
    boxes = sales.goes("/inbox").find("//input[@name='task'][@form='pick']")
    assert {box.get("value") for box in boxes} == set(tasks)

    page = sales.goes(f"/tasks/several?task={tasks[0]}&task={tasks[2]}")
    typed = {**page.form("/several"), "/phone": "+1 202 555 0143", "task": [tasks[0], tasks[2]]}
    after = sales.sends(f"/tasks/{tasks[0]}/several", typed)

    assert "2 at once" in page.heading
    assert "2 tasks are done." in after.text
    states = [world.of("sales").get(f"/tasks/{task}").json["state"] for task in tasks]
    assert states == ["done", "open", "done"]


def test_what_cannot_be_filled_in_together_is_said(world: World) -> None:
    """Nothing ticked, too many, and what a colleague's boxes do not offer."""
    _, task = doubtful(world)
    sales = visitor(world, "sales")

    assert sales.goes("/tasks/several").status == 422
    assert sales.goes("/tasks/several?" + "&".join(f"task={n}" for n in range(101))).status == 422
    world.engine.claim(task, COLLEAGUE)
    assert not sales.goes("/inbox").find("//input[@name='task']")
    assert not visitor(world, "owner").goes("/inbox").find("//input[@name='task']")


def test_the_numbers_beside_the_menu_come_with_the_list(world: World) -> None:
    """In the same request; what is none there is hidden."""
    doubtful(world)
    sales = visitor(world, "sales")
    page = sales.goes("/inbox")
    numbers = {name: page.find(f"//nav[@aria-label='Main']//*[@data-told='menu:{name}']")[0]
               for name in ("tasks", "open_orders", "incidents")}
    assert {name: number.text for name, number in numbers.items()} == {
        "tasks": "1", "open_orders": "1", "incidents": None}
    assert "hidden" in numbers["incidents"].attrib
    assert "hidden" not in numbers["tasks"].attrib

    doubtful(world)
    told = json.loads(sales.goes("/inbox/list").find("//*[@data-counts]")[0].get("data-counts"))

    assert (told["menu:tasks"], told["menu:open_orders"], told["menu:incidents"]) == ("2", "2", "")


def test_whoever_loses_a_task_is_told_on_the_open_page(each_world: World) -> None:
    """By the list beside it, with who and why; nobody else is."""
    world = each_world
    _, task = doubtful(world)
    sales = visitor(world, "sales")
    world.of("sales").post(f"/tasks/{task}/claim")
    address = sales.goes(f"/tasks/{task}").find("//*[@id='task-list']/@hx-get")[0]
    assert sales.goes(address).find("//*[@data-taken]") == []

    world.engine.take_over(task, COLLEAGUE, "You are in a meeting.")

    (told,) = sales.goes(address).find("//*[@data-taken]/@data-taken")
    assert told == "nadia has taken this over: “You are in a meeting.”"
    assert visitor(world, "owner").goes(address).find("//*[@data-taken]") == []


def test_inbox_and_task_ask_at_most_twelve_statements(world: World) -> None:
    """However many tasks there are."""
    _, task = doubtful(world)
    sales = visitor(world, "sales")
    addresses = ("/inbox", "/inbox?view=today", "/inbox?q=tanaka", "/inbox?step=2", "/inbox/list",
                 f"/inbox/list?selected={task}", f"/tasks/{task}")
    few = {}
    for address in addresses:
        sales.goes(address)
        with statements(world.database) as seen:
            sales.goes(address)
        few[address] = len(seen)
        assert len(seen) <= MOST, (address, len(seen), seen)
    for _ in range(6):
        doubtful(world)

    for address in addresses:
        with statements(world.database) as seen:
            sales.goes(address)
        assert len(seen) == few[address], address
