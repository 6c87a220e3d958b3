"""The inbox and the form of a task, without scripts."""

from __future__ import annotations

from engine.views import Actor
from tests.web.api_world import World
from tests.web.test_api_journey import do_next
from tests.web.visitor import as_inputs, example, open_task, visitor

DOUBTFUL = {"name": "Mia Tanaka", "email": "mia.tanaka@example.com", "phone": "12"}


def doubtful_order(world: World) -> str:
    """An order that step 2 hands to sales."""
    number = world.place(customer=DOUBTFUL)
    world.work()
    return number


def test_the_inbox_shows_my_teams_tasks_only(world: World) -> None:
    """Sales sees the doubtful details, the warehouse does not, and the owner sees all."""
    order = doubtful_order(world)

    assert order in visitor(world, "sales").goes("/inbox").text
    assert order not in visitor(world, "warehouse").goes("/inbox").text
    assert order in visitor(world, "owner").goes("/inbox").text


def test_another_teams_task_is_not_there(world: World) -> None:
    """By its address too."""
    task = open_task(world, doubtful_order(world))

    assert visitor(world, "warehouse").goes(f"/tasks/{task}").status == 404


def test_a_search_finds_a_task_by_its_customer(world: World) -> None:
    """The list keeps what the search finds."""
    order = doubtful_order(world)
    who = visitor(world, "sales")

    assert order in who.goes("/inbox?q=tanaka").text
    assert order not in who.goes("/inbox?q=somebody").text


def test_late_tasks_stand_in_a_group_of_their_own(world: World) -> None:
    """Late is said in words, not in colour alone."""
    order = doubtful_order(world)
    world.clock.advance(days=3)

    page = visitor(world, "sales").goes("/inbox?view=late")

    assert order in page.text
    assert [h.text for h in page.find("//div[@id='task-list']/h2")] == ["Late"]
    assert "late" in page.find("//span[contains(@class, 'due bad')]")[0].text_content()


def test_a_colleague_who_is_away_gives_way(world: World) -> None:
    """Who has the task stands there with its time; with a note it is taken over, and the history keeps the note."""
    order = doubtful_order(world)
    task = open_task(world, order)
    world.engine.claim(task, Actor("nadia", frozenset({"sales"})))
    sales = visitor(world, "sales")
    page = sales.goes(f"/tasks/{task}")
    assert "nadia has this task since" in page.text

    empty = sales.sends(f"/tasks/{task}/take-over", {**page.form("/take-over"), "note": " "})
    after = sales.sends(f"/tasks/{task}/take-over", {**page.form("/take-over"), "note": "Nadia is ill."})

    assert (empty.status, "Say why" in empty.text) == (422, True)
    assert "Yours" in after.text
    assert "Nadia is ill." in sales.goes(f"/orders/{order}").text


def test_claiming_tells_the_others_and_releasing_gives_it_back(world: World) -> None:
    """Who has a task is named; the one who has it can let go."""
    task = open_task(world, doubtful_order(world))
    sales = visitor(world, "sales")

    page = sales.sends(f"/tasks/{task}/claim", sales.goes(f"/tasks/{task}").form("/claim"))
    assert "Yours since" in page.text
    assert "Anna Lindqvist has" not in page.text

    owner = visitor(world, "owner").goes(f"/tasks/{task}")
    assert not owner.find("//button[text()='Complete task' and not(@tabindex)]")

    page = sales.sends(f"/tasks/{task}/release", page.form("/release"))
    assert "Nobody has it yet" in page.text


def test_a_refused_form_keeps_every_input_and_leads_to_its_mistakes(world: World) -> None:
    """422, a summary whose links lead to the fields, and all that was typed is still there."""
    who = visitor(world, "sales")
    page = who.sends("/orders", who.goes("/orders").form("/orders"))
    task = page.answer.request.path
    form = page.form(task)
    typed = {
        **form, "/name": "Nova", "/email": "no-address", "/phone": "+1 212 736 3100", "/street": "A street 1",
        "/items/0/sku": "product-b", "/items/0/quantity": "many", "_action": "complete",
    }  # fmt: skip

    refused = who.sends(task, typed)

    assert refused.status == 422
    assert refused.value("/name") == "Nova"
    assert refused.value("/email") == "no-address"
    assert refused.value("/items/0/quantity") == "many"
    assert refused.value("/items/0/sku") == "product-b"
    summary = refused.find("//div[@role='alert']")[0]
    targets = [link.get("href")[1:] for link in summary.iter("a")]
    assert {"f-email", "f-items-0-quantity", "f-city", "f-country"} <= set(targets)
    for target in targets:
        assert refused.tree.get_element_by_id(target) is not None
    assert refused.tree.get_element_by_id("f-email").get("aria-invalid") == "true"


def test_rows_are_added_and_removed_without_losing_input(world: World) -> None:
    """By submit buttons, so that it works without a script."""
    who = visitor(world, "sales")
    page = who.sends("/orders", who.goes("/orders").form("/orders"))
    task = page.answer.request.path
    typed = {**page.form(task), "/name": "Nova", "/items/0/sku": "product-a", "/items/0/quantity": "2"}

    more = who.sends(task, typed, _add="/items")
    assert more.status == 200
    assert more.value("/name") == "Nova"
    assert more.value("/items/0/quantity") == "2"
    assert more.value("/items/1/quantity") == ""

    second = {**more.form(task), "/items/1/sku": "product-c", "/items/1/quantity": "5"}
    fewer = who.sends(task, second, _remove="/items/0")
    assert fewer.value("/items/0/sku") == "product-c"
    assert fewer.value("/items/0/quantity") == "5"
    assert not fewer.find("//*[@name='/items/1/sku']")


def test_a_new_order_is_taken_on_a_page(world: World) -> None:
    """Sales opens a new order, fills the form of step 1, and the order goes on to its gate."""
    who = visitor(world, "sales")
    page = who.sends("/orders", who.goes("/orders").form("/orders"))
    assert page.heading == "Receive new order from customer"
    assert "Yours since" in page.text
    order = world.engine.instances("order_fulfillment").items[0].business_key

    done = who.sends(
        page.answer.request.path, {**page.form(page.answer.request.path), **as_inputs(example(world, order))},
        _action="complete",
    )  # fmt: skip
    world.work()

    assert done.status == 200
    assert f"Receive new order from customer for {order} is done." in done.text
    assert who.goes(f"/orders/{order}").text.count("Step 5 of 20") == 1


def test_a_field_of_another_form_is_refused_by_name(world: World) -> None:
    """A decision, or any other field, cannot be smuggled into a form."""
    order = doubtful_order(world)
    task = open_task(world, order)
    who = visitor(world, "sales")
    form = who.goes(f"/tasks/{task}").form(f"/tasks/{task}")

    refused = who.sends(
        f"/tasks/{task}", {**form, **as_inputs(example(world, order))}, decision="approve", _action="complete"
    )

    assert refused.status == 422
    assert "decision" in refused.find("//div[@role='alert']")[0].text_content()
    assert open_task(world, order) == task


def test_a_draft_is_kept_and_comes_back(world: World) -> None:
    """Also when it is far from valid."""
    order = doubtful_order(world)
    task = open_task(world, order)
    who = visitor(world, "sales")
    form = who.goes(f"/tasks/{task}").form(f"/tasks/{task}")

    saved = who.sends(f"/tasks/{task}", {**form, "/phone": "to be asked"}, _action="draft")

    assert "Draft saved at" in saved.text
    assert visitor(world, "sales").goes(f"/tasks/{task}").value("/phone") == "to be asked"


def test_what_is_typed_is_saved_on_its_own(world: World) -> None:
    """The page sends the form while somebody types; the answer says when it was kept."""
    task = open_task(world, doubtful_order(world))
    who = visitor(world, "sales")
    page = who.sends(f"/tasks/{task}/claim", who.goes(f"/tasks/{task}").form("/claim"))

    answer = who.client.post(f"/tasks/{task}/draft", data={**page.form(f"/tasks/{task}"), "/phone": "later"})

    assert answer.json == {"said": "Draft saved at 08:00:00", "revision": 1, "claim": ""}
    assert who.goes(f"/tasks/{task}").value("/phone") == "later"


def test_completing_what_is_done_says_so_and_shows_the_input(world: World) -> None:
    """409 with who did it; what was typed can still be read."""
    order = doubtful_order(world)
    task = open_task(world, order)
    who = visitor(world, "sales")
    form = {**who.goes(f"/tasks/{task}").form(f"/tasks/{task}"), **as_inputs(example(world, order))}
    assert who.sends(f"/tasks/{task}", form, _action="complete").status == 200

    again = who.sends(f"/tasks/{task}", {**form, "/phone": "+1 212 736 3199"}, _action="complete")

    assert again.status == 409
    assert "This was not taken" in again.text
    assert again.value("/phone") == "+1 212 736 3199"


def test_the_list_is_sent_again_only_when_it_changed(world: World) -> None:
    """204 while nothing changed; the whole list when something did."""
    doubtful_order(world)
    who = visitor(world, "sales")
    address = str(who.goes("/inbox").find("//div[@id='task-list']/@hx-get")[0])

    assert who.client.get(address, headers={"HX-Request": "true"}).status_code == 204

    doubtful_order(world)
    assert who.client.get(address, headers={"HX-Request": "true"}).status_code == 200


def test_a_task_says_why_it_is_here(world: World) -> None:
    """Whoever resolves a problem reads first what the problem is; the API says it too."""
    task = open_task(world, doubtful_order(world))
    reason = world.of("sales").get(f"/tasks/{task}").json["reason"]

    page = visitor(world, "sales").goes(f"/tasks/{task}")

    assert reason
    assert reason in " ".join(page.find("//div[@id='reason']")[0].text_content().split())


def test_a_task_that_a_message_ended_says_so_and_has_no_fields(world: World) -> None:
    """The courier was there before somebody confirmed the pickup."""
    order, heard = world.place(), list[str]()
    world.work()
    while (task := world.task_of(order))["element"] != "confirm_pickup":
        do_next(world, order, heard)
        world.work()
    booking = world.of("owner").get(f"/orders/{order}").json["shipments"][-1]["reference"]
    world.send("courier.picked_up", {"id": "van", "order": order, "payload": {"booking": booking}})

    page = visitor(world, "shipping").goes(f"/tasks/{task['id']}")

    assert "The courier reported the pickup at 08:00." in page.text
    assert not page.find("//main//input[not(@type='hidden')] | //main//textarea | //main//select")


def test_a_task_that_a_cancellation_ended_says_who_cancelled(world: World) -> None:
    """Nobody looks for what became of a task."""
    order = doubtful_order(world)
    task = open_task(world, order)
    world.of("sales").post(f"/orders/{order}/cancel", {"reason": "Changed her mind"})

    page = visitor(world, "sales").goes(f"/tasks/{task}")

    assert "Anna Lindqvist cancelled the order at 08:00." in page.text
