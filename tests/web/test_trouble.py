"""The database has trouble: people and programs read what is the matter, nothing is half done, and it goes on after."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from sqlalchemy import event, text

from engine.errors import DatabaseTrouble
from engine.store.database import Database
from tests.troubles import Trouble, away, busy, cut_off, full, read_only
from tests.web.api_world import World, order_body
from tests.web.visitor import Visitor, open_task, visitor

POSTGRES = pytest.mark.parametrize("database", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)


SAVING = [
    pytest.param(full, "The disk that holds the database is full", "60", id="full"),
    pytest.param(read_only, "The database can only be read at the moment", "30", id="read-only"),
    pytest.param(busy, "The database is busy with other work", "2", id="busy"),
]
EVERYTHING = pytest.param(away, "The database", None, id="away")


def lines(world: World) -> list[Any]:
    """Everything that a half-done command would have changed."""
    asked = [
        "select instance_id, seq, hash from event order by 1, 2",
        "select id, state, attempts, fence from job order by id",
        "select id, state, revision, draft from task order by id", "select number from orders order by number",
    ]
    with world.database.read() as session:
        return [session.execute(text(statement)).fetchall() for statement in asked]


def ready(world: World) -> int:
    return world.app.test_client().get("/readyz").status_code


# --- the rules --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("trouble", "words", "wait"), [*SAVING, EVERYTHING])
def test_a_call_is_told_what_is_the_matter_and_when_to_come_again(
    each_world: World, trouble: Trouble, words: str, wait: str | None
) -> None:
    """503 as problem+json with Retry-After; nothing is half done, and the same call passes afterwards."""
    world, sales = each_world, each_world.of("sales")
    first = world.place()
    before = lines(world)
    with trouble(world.database):
        answer = sales.post("/orders", order_body(), headers={"Idempotency-Key": "one"})
        waiting = ready(world)

    assert (answer.status_code, answer.content_type) == (503, "application/problem+json")
    assert answer.json["type"] == "/problems/try-again"
    assert answer.json["detail"].startswith(words)
    assert answer.json["detail"].endswith("Nothing was changed.")
    assert answer.headers["Retry-After"] == (wait or answer.headers["Retry-After"])
    assert int(answer.headers["Retry-After"]) > 0
    assert waiting == (200 if trouble is busy else 503)
    assert lines(world) == before
    assert ready(world) == 200
    again = sales.post("/orders", order_body(), headers={"Idempotency-Key": "one"})
    assert (again.status_code, again.json["number"] != first) == (201, True)


TYPED = {
    "/name": "Mia <Tanaka> & Søn", "/email": "mia.tanaka@example.com", "/phone": "+1 212 736 3100",
    "/street": "350 Fifth Avenue", "/city": "New York", "/region": "NY", "/postal_code": "10118", "/country": "US",
    "/items/0/sku": "product-a", "/items/0/quantity": "2", "/payment_method": "credit_card",
    "/shipping_method": "standard", "_action": "complete",
}  # fmt: skip


@pytest.mark.parametrize(("trouble", "words", "wait"), [*SAVING, EVERYTHING])
def test_a_form_is_answered_in_a_sentence_and_what_was_typed_is_sent_again(
    each_world: World, trouble: Trouble, words: str, wait: str | None
) -> None:
    """The page holds what the person typed: one click sends it again, once the database is back."""
    world, person = each_world, visitor(each_world, "sales")
    opened = person.sends("/orders", person.goes("/orders").form("/orders"))
    task = opened.answer.request.path
    form = {**opened.form(task), **{name: [value] for name, value in TYPED.items()}}
    before = lines(world)
    with trouble(world.database):
        page = person.sends(task, form)

    assert page.status == 503
    assert page.heading == "The database cannot be used now"
    assert words in page.text
    assert "Nothing was changed." in page.text
    assert page.answer.headers["Retry-After"]
    assert page.form(task) == form
    assert lines(world) == before
    assert world.engine.jobs(state="dead").items == ()
    again = person.sends(task, page.form(task))
    assert (again.status, again.heading) == (200, "Inbox")
    assert "is done" in again.text


@pytest.mark.parametrize("trouble", [full, away])
def test_a_password_is_not_sent_back(each_world: World, trouble: Trouble) -> None:
    """Whoever signs a gate types the password again; the reason that was written is kept."""
    world = each_world
    order = world.place()
    world.work()
    person = visitor(world, "stock-approver")
    address = f"/tasks/{open_task(world, order)}"
    form = {**person.goes(address).form("/decide"), "decision": ["send_back"], "comment": ["Too many"],
            "send_back_to": ["3"], "password": ["demo"]}
    with trouble(world.database):
        page = person.sends(f"{address}/decide", form)

    kept = page.form("/decide")
    assert page.status == 503
    assert kept.pop("password", [""]) == [""]
    assert kept == {name: value for name, value in form.items() if name != "password"}
    assert person.sends(f"{address}/decide", kept, password="demo").status == 200
    assert [view.step for view in world.engine.instances("order_fulfillment").items] == [5]


def test_pages_and_live_parts_say_it_too(each_world: World) -> None:
    """A page offers to try again; the customer's page says nothing of the house; no page asks the database why."""
    world, person = each_world, visitor(each_world, "owner")
    order = world.place()
    with away(world.database):
        page = person.goes("/orders?q=x")
        tracking = Visitor(world.app).goes(f"/track/{order}?token=x")
        missing = person.goes("/nothing-here")

    assert (page.status, page.link("Try again")) == (503, "/orders?q=x")
    assert missing.status in (404, 503)
    assert (tracking.status, tracking.heading) == (503, "This page is not available now")
    assert "database" not in tracking.text


@POSTGRES
def test_a_connection_that_breaks_in_the_middle_changes_nothing(each_world: World) -> None:
    """The server ends every connection in the middle of a command: 503, nothing of it stays, the next call passes."""
    world, sales = each_world, each_world.of("sales")
    first = world.place()
    before = lines(world)

    left = [1]

    def cut(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT INTO event") and left and left.pop():
            cut_off(world.database)

    event.listen(world.database.engine, "before_cursor_execute", cut)
    answer = sales.post("/orders", order_body(), headers={"Idempotency-Key": "one"})

    assert (answer.status_code, answer.json["detail"].startswith("The database does not answer")) == (503, True)
    assert lines(world) == before
    assert sales.post("/orders", order_body(), headers={"Idempotency-Key": "one"}).json["number"] != first


@POSTGRES
def test_a_connection_that_breaks_while_committing_leaves_it_open_what_was_saved(each_world: World) -> None:
    """Nobody knows then, so the answer does not claim that nothing was changed; the same key asks again."""
    world, sales = each_world, each_world.of("sales")

    left = [1]

    def cut(_connection: Any) -> None:
        if left and left.pop():
            cut_off(world.database)

    sales.get("/orders")
    event.listen(world.database.engine, "commit", cut)
    answer = sales.post("/orders", order_body(), headers={"Idempotency-Key": "one"})

    assert answer.status_code == 503
    assert "Nothing was changed" not in answer.json["detail"]
    assert answer.json["detail"].endswith("Look whether it was saved before you repeat it.")
    assert sales.post("/orders", order_body(), headers={"Idempotency-Key": "one"}).status_code == 201


@POSTGRES
def test_connections_that_the_server_has_closed_are_replaced(each_world: World) -> None:
    """A server that was started anew while nobody asked is noticed by nobody."""
    world, sales = each_world, each_world.of("sales")
    world.place()
    cut_off(world.database)

    assert sales.get("/orders").status_code == 200
    assert sales.post("/orders", order_body()).status_code == 201


@POSTGRES
def test_a_server_without_a_free_place_says_so(each_world: World) -> None:
    """Too many connections: 503, come again in a few seconds."""
    name = f"few_{uuid.uuid4().hex[:8]}"
    with each_world.database.write() as session:
        session.execute(text(f"create role {name} login connection limit 0"))
    crowded = Database(each_world.database.url.set(username=name).render_as_string(False))
    try:
        with pytest.raises(DatabaseTrouble, match="takes no more connections") as trouble, crowded.read() as session:
            session.execute(text("select 1"))
        assert trouble.value.retry_after == 5
    finally:
        crowded.dispose()
        with each_world.database.write() as session:
            session.execute(text(f"drop role {name}"))
