"""Several tasks of one step, filled in once, without scripts."""

from __future__ import annotations

from engine.views import Actor
from tests.web.api_world import World
from tests.web.test_api_journey import do_next
from tests.web.test_pages_scanning import placed_at
from tests.web.test_pages_tasks import DOUBTFUL
from tests.web.visitor import Page, Visitor, open_task, visitor

COLLEAGUE = Actor("nadia", frozenset({"sales"}))
PHONE = "+1 202 555 0143"


def doubtful(world: World, name: str) -> str:
    """An order with a phone that nobody can call; the id of the task that mends it."""
    number = world.place(customer={**DOUBTFUL, "name": name})
    world.work()
    return open_task(world, number)


def sends(who: Visitor, page: Page, address: str, *tasks: str, **fields: str) -> Page:
    """The form as it stands, with these tasks chosen."""
    typed = {f"/{name}": value for name, value in fields.items()}
    return who.sends(address, {**page.form("/several"), **typed, "task": list(tasks)})


def test_one_form_completes_several_tasks_and_each_keeps_its_own(world: World) -> None:
    """What was typed goes to all that are chosen; what was left as it is stays each customer's."""
    first, second, other = doubtful(world, "Ana Silva"), doubtful(world, "Ben Okafor"), doubtful(world, "Cleo Marsh")
    sales = visitor(world, "sales")
    address = sales.goes(f"/tasks/{first}").link("Several like this at once")
    page = sales.goes(address)
    assert all(name in page.text for name in ("Ana Silva", "Ben Okafor", "Cleo Marsh"))

    after = sends(sales, page, address, first, second, phone=PHONE)

    assert "2 tasks are done." in after.text
    done = [world.of("sales").get(f"/tasks/{task}").json for task in (first, second, other)]
    assert [one["state"] for one in done] == ["done", "done", "open"]
    assert [(one["data"]["name"], one["data"]["phone"]) for one in done[:2]] == [
        ("Ana Silva", PHONE), ("Ben Okafor", PHONE)]


def test_orders_of_other_goods_are_packed_with_one_click(world: World) -> None:
    """Each keeps its own parcels and contents, though the page shows those of the first."""
    orders = [world.place(items=[{"sku": "product-a", "quantity": quantity}]) for quantity in (1, 3)]
    for number in orders:
        world.work()
        while world.task_of(number)["element"] != "package_products":
            do_next(world, number, [])
            world.work()
    first, second = (open_task(world, number) for number in orders)
    warehouse = visitor(world, "warehouse")
    address = f"/tasks/{first}/several"

    after = sends(warehouse, warehouse.goes(address), address, first, second, note="From shelf 4")

    assert "2 tasks are done." in after.text
    done = [world.of("warehouse").get(f"/tasks/{task}").json["data"] for task in (first, second)]
    assert [one["contents"][0]["quantity"] for one in done] == [1, 3]
    assert [one["note"] for one in done] == ["From shelf 4"] * 2


def test_what_differs_from_order_to_order_is_asked_for_each(world: World) -> None:
    """Weights of parcels: each order that is ticked has fields of its own, and what is wrong stands at them."""
    first, second = (open_task(world, placed_at(world, 10)) for _ in range(2))
    warehouse = visitor(world, "warehouse")
    address = f"/tasks/{first}/several"
    page = warehouse.goes(address)
    assert not page.find("//input[@name='/parcels/0/weight_g']"), "no field of one order is filled in for all"
    page = warehouse.sends(address, {**page.form("/several"), "task": [first, second]}, _action="ask")
    typed = {f"@{first}/parcels/0/weight_g": "1200", f"@{second}/parcels/0/weight_g": "0"}

    wrong = warehouse.sends(address, {**page.form("/several"), **typed, "task": [first, second]})
    assert "1 done, 1 not" in wrong.text
    assert wrong.find(f"//input[@name='@{second}/parcels/0/weight_g'][@aria-invalid='true']/@value") == ["0"]
    again = {**wrong.form("/several"), f"@{second}/parcels/0/weight_g": "900", "task": [second]}
    assert "One task is done." in warehouse.sends(address, again).text

    done = [world.of("warehouse").get(f"/tasks/{task}").json["data"]["parcels"][0] for task in (first, second)]
    assert [parcel["weight_g"] for parcel in done] == [1200, 900]


def test_what_somebody_has_typed_in_a_task_is_not_lost(world: World) -> None:
    """A draft counts as what the task has there."""
    first, second = doubtful(world, "Ana Silva"), doubtful(world, "Ben Okafor")
    sales = visitor(world, "sales")
    begun = {**world.of("sales").get(f"/tasks/{second}").json["data"], "name": "Ben Okafor-Lee"}
    world.of("sales").put(f"/tasks/{second}/draft", {"data": begun})
    address = f"/tasks/{first}/several"

    sends(sales, sales.goes(address), address, first, second, phone=PHONE)

    done = world.of("sales").get(f"/tasks/{second}").json
    assert (done["state"], done["data"]["name"], done["data"]["phone"]) == ("done", "Ben Okafor-Lee", PHONE)


def test_what_is_refused_stays_chosen_with_its_reason(world: World) -> None:
    """A colleague was faster at one: the other is done, the form keeps what was typed, and trying again works."""
    first, taken = doubtful(world, "Ana Silva"), doubtful(world, "Ben Okafor")
    sales = visitor(world, "sales")
    address = f"/tasks/{first}/several"
    page = sales.goes(address)
    world.engine.claim(taken, COLLEAGUE)

    after = sends(sales, page, address, first, taken, phone=PHONE)

    assert (after.status, "1 done, 1 not" in after.text) == (422, True)
    [row] = after.find("//tr[contains(@class, 'haserr')]")
    assert "nadia has this task." in row.text_content()
    assert after.value("/phone") == PHONE
    world.engine.release(taken, COLLEAGUE)
    again = sends(sales, after, address, taken)
    assert "One task is done." in again.text
    assert world.of("sales").get(f"/tasks/{taken}").json["data"]["name"] == "Ben Okafor"


def test_wrong_input_changes_no_task_and_names_the_field(world: World) -> None:
    """As in the form of one task; and choosing nothing is said too."""
    first, second = doubtful(world, "Ana Silva"), doubtful(world, "Ben Okafor")
    sales = visitor(world, "sales")
    address = f"/tasks/{first}/several"
    page = sales.goes(address)

    wrong = sends(sales, page, address, first, second, email="nobody")
    none = sends(sales, page, address, email="ana@example.com")

    assert wrong.status == none.status == 422
    assert {box.get("value") for box in wrong.find("//input[@name='task'][@checked]")} == {first, second}
    assert wrong.find("//input[@name='/email'][@aria-invalid='true']")
    assert "Choose at least one task." in none.text
    assert [world.of("sales").get(f"/tasks/{task}").json["state"] for task in (first, second)] == ["open", "open"]


def test_gates_and_other_peoples_tasks_are_not_done_in_heaps(world: World) -> None:
    """Another team sees nothing, an owner looks only."""
    first = doubtful(world, "Ana Silva")

    assert visitor(world, "warehouse").goes(f"/tasks/{first}/several").status == 404
    assert visitor(world, "owner").goes(f"/tasks/{first}/several").status == 403
