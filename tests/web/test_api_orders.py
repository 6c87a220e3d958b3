"""Orders by API: placing one, what is refused, lists, history, papers, cancelling."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import func, select, update

from engine.store.tables import Event, Instance
from handlers.catalogue import demo_catalogue
from handlers.tables import Document, IntakeKey, Order
from tests.web.api_world import World, order_body

UNIT_PRICE = next(row.unit_price for row in demo_catalogue() if row.sku == "product-a")


def changed(path: str, value: Any) -> dict[str, Any]:
    """The complete order with one value changed, e.g. `items/0/sku`."""
    body = json.loads(json.dumps(order_body()))
    *heads, last = [int(part) if part.isdigit() else part for part in path.split("/")]
    target = body
    for part in heads:
        target = target[part]
    target[last] = value
    return body


def nothing_stored(world: World) -> bool:
    with world.database.read() as session:
        counts = [session.scalar(select(func.count()).select_from(t)) for t in (Order, Instance, IntakeKey, Event)]
    return counts == [0, 0, 0, 0]


def fields(answer: Any) -> list[str]:
    assert answer.content_type == "application/problem+json"
    return sorted(error["field"] for error in answer.json["errors"])


# --- placing ---------------------------------------------------------------------------------------------------------


def test_an_order_by_api_has_step_1_behind_it(world: World) -> None:
    """An order that comes by API completes its intake by itself and stands at the next wait."""
    answer = world.of("sales").post("/orders", order_body())

    assert answer.status_code == 201
    order = answer.json
    assert answer.headers["Location"].endswith(f"/api/v1/orders/{order['number']}")
    assert (order["state"], order["closed_at"], order["process_version"]) == ("open", None, 1)
    assert order["step"] == {"number": 5, "name": "Approval: Inventory Reservation"}
    assert [task["step"] for task in order["open_tasks"]] == [5]
    assert order["incidents"] == []
    assert order["total"] == {"amount": UNIT_PRICE * 2, "currency": "USD"}
    assert order["tracking_url"].startswith("https://shop.example/track/")
    assert order["placed_at"] == "2026-11-23T08:00:00Z"
    assert order["source"] == "api"


def test_the_same_key_and_body_give_one_order(each_world: World) -> None:
    """A shop that hears no answer sends again, and gets the order it has placed."""
    sales = each_world.of("sales")
    key = {"Idempotency-Key": "shop-1"}
    first = sales.post("/orders", order_body(), headers=key)
    again = sales.post("/orders", dict(reversed(order_body().items())), headers=key)

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json["number"] == again.json["number"]


def test_a_key_with_another_body_is_a_conflict(each_world: World) -> None:
    """A key stands for one order; a second order under it would be lost without a word."""
    sales = each_world.of("sales")
    key = {"Idempotency-Key": "shop-1"}
    sales.post("/orders", order_body(), headers=key)

    answer = sales.post("/orders", changed("items/0/quantity", 3), headers=key)

    assert answer.status_code == 409
    assert answer.json["type"].endswith("/key-reused")


def test_a_refused_order_leaves_its_key_free(each_world: World) -> None:
    """After a 422 the shop mends the order and sends it under the same key."""
    sales = each_world.of("sales")
    key = {"Idempotency-Key": "shop-1"}
    assert sales.post("/orders", changed("items/0/sku", "product-z"), headers=key).status_code == 422

    assert sales.post("/orders", order_body(), headers=key).status_code == 201


@pytest.mark.parametrize("key", ["", " ", "k" * 201, "a\tb"])
def test_a_key_of_no_use_is_refused(world: World, key: str) -> None:
    """An empty or endless key is a fault of the sender, named as such."""
    answer = world.of("sales").post("/orders", order_body(), headers={"Idempotency-Key": key})

    assert answer.status_code == 422
    assert fields(answer) == ["/Idempotency-Key"]
    assert nothing_stored(world)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("items/0/sku", "product-z"),
        ("items/0/sku", ""),
        ("items/0/quantity", 0),
        ("items/0/quantity", 1_000_000),
        ("items/0/quantity", "2"),
        ("items/0/quantity", 1.5),
        ("items/0/quantity", True),
        ("items", []),
        ("items", None),
        ("shipping_address/country", "XX"),
        ("shipping_address/country", "Atlantis"),
        ("shipping_address/country", 7),
        ("shipping_address/city", "\u0000"),
        ("customer/name", "x" * 1_048_576),
        ("customer/name", "\u00e4" * 524_288),
        ("customer/name", "   "),
        ("customer/email", "nobody"),
        ("customer/phone", None),
        ("customer/nickname", "Mia"),
        ("payment_method", "cash"),
        ("shipping_method", ["standard"]),
        ("stock_region", "atlantis"),
        ("decision", "approve"),
    ],
)
def test_bad_input_is_named_and_nothing_is_stored(world: World, path: str, value: Any) -> None:
    """Each field that is wrong is named by its place in the body."""
    answer = world.of("sales").post("/orders", changed(path, value))

    assert answer.status_code == 422
    assert fields(answer) == [f"/{path}"]
    assert len(answer.get_data()) < 2_000
    assert nothing_stored(world)


def test_every_wrong_field_is_named_at_once(world: World) -> None:
    """Nobody should have to send five times to learn of five faults."""
    body = {"customer": {"name": "Mia"}, "items": [{"sku": "product-a", "quantity": 0}, {}], "colour": "red"}

    answer = world.of("sales").post("/orders", body)

    assert fields(answer) == [
        "/colour", "/customer/email", "/customer/phone", "/items/0/quantity", "/items/1/quantity", "/items/1/sku",
        "/payment_method", "/shipping_address", "/shipping_method",
    ]  # fmt: skip


def test_what_only_the_shop_knows_is_named_by_the_same_places(world: World) -> None:
    """Unknown products and countries are found by step 1 and still named as the sender wrote them."""
    body = order_body(items=[{"sku": "product-a", "quantity": 1}, {"sku": "product-z", "quantity": 1}])

    assert fields(world.of("sales").post("/orders", body)) == ["/items/1/sku"]


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"", 422),
        (b"null", 422),
        (b"[]", 422),
        (b"{", 422),
        (b"\xff", 422),
        (b'{"items": NaN}', 422),
        (b'{"items": 1, "items": 2}', 422),
        (b"[" * 200_000, 422),
        (rb'{"\ud800": 1}', 422),
        (b" " * (5 * 1024 * 1024), 413),
    ],
)
def test_a_body_that_is_no_order_is_refused(world: World, raw: bytes, status: int) -> None:
    """Whatever arrives, the answer is a problem that says what is wrong."""
    answer = world.of("sales").call("POST", "/orders", data=raw, content_type="application/json")

    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    assert nothing_stored(world)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "", "application/xml"])
def test_another_content_type_is_refused(world: World, content_type: str) -> None:
    """A form of a foreign page cannot place an order by accident."""
    answer = world.of("sales").call("POST", "/orders", data=json.dumps(order_body()), content_type=content_type)

    assert answer.status_code == 415
    assert nothing_stored(world)


@pytest.mark.parametrize(
    ("who", "status"),
    [("sales", 201), ("owner", 201), ("admin", 201), ("warehouse", 403), ("stock-approver", 403), (None, 401)],
)
def test_who_may_place_an_order(world: World, who: str | None, status: int) -> None:
    """Sales, owner and admin."""
    answer = world.of(who).post("/orders", order_body())

    assert answer.status_code == status
    assert (status == 201) != nothing_stored(world)


def test_a_country_is_taken_by_name_too(world: World) -> None:
    """Shops send what their customers chose."""
    answer = world.of("sales").post("/orders", changed("shipping_address/country", "United States"))

    assert answer.json["shipping_address"]["country"] == "US"


# --- reading ---------------------------------------------------------------------------------------------------------


def test_all_staff_may_read_orders(world: World) -> None:
    """Whoever answers the phone can say where an order stands."""
    number = world.place()

    assert world.of("warehouse").get(f"/orders/{number}").status_code == 200
    assert world.of(None).get(f"/orders/{number}").status_code == 401


def test_the_list_is_walked_without_loss(each_world: World) -> None:
    """Pages joined are the whole list, newest first, each order once."""
    numbers = [each_world.place() for _ in range(5)]
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = each_world.of("owner").get("/orders", limit=2, cursor=cursor).json
        seen += [order["number"] for order in page["items"]]
        cursor = page["next"]

    assert seen == numbers[::-1]


def test_the_list_is_searched_and_filtered(each_world: World) -> None:
    """By state, and by words of customer, number or product."""
    mia = each_world.place()
    ole = each_world.place(customer={"name": "Ole Berg", "email": "ole@example.com", "phone": "+1 212 736 3100"})
    each_world.of("sales").post(f"/orders/{mia}/cancel", {"reason": "The customer called."})
    owner = each_world.of("owner")

    def found(**query: str) -> list[str]:
        return [order["number"] for order in owner.get("/orders", **query).json["items"]]

    assert found(q="berg") == [ole]
    assert found(state="open") == [ole]
    assert found(q="%") == []
    assert owner.get("/orders", state="lost").status_code == 422


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "-1"},
        {"limit": "x"},
        {"cursor": "x"},
        {"cursor": "W10"},
        {"q": "\x00"},
        {"colour": "red"},
    ],
)
def test_a_wrong_parameter_is_named(world: World, query: dict[str, str]) -> None:
    """A typing error in an address is an error, not another list."""
    answer = world.of("owner").get("/orders", **query)

    assert answer.status_code == 422
    assert fields(answer) == [f"/{next(iter(query))}"]


def test_a_huge_limit_is_a_full_page(world: World) -> None:
    """Nobody can ask for all orders of all time in one answer, and asking is no error."""
    world.place()

    assert len(world.of("owner").get("/orders", limit=10**30).json["items"]) == 1


def test_lists_ask_a_fixed_number_of_statements(each_world: World) -> None:
    """However many orders and tasks there are."""
    counts = []
    for _ in range(2):
        for _ in range(3):
            each_world.place()
        row = []
        for path in ("/orders", "/tasks"):
            each_world.of("owner").get(path)
            with each_world.statements() as statements:
                each_world.of("owner").get(path)
            row.append(len(statements))
        counts.append(row)

    assert counts[0] == counts[1]
    assert counts[0][0] <= 8
    assert counts[0][1] <= 4


def test_one_order_is_read_with_few_statements(each_world: World) -> None:
    """Everything about one order in at most 20 statements, two of them the caller's token."""
    number = each_world.place()
    each_world.of("owner").get(f"/orders/{number}")

    with each_world.statements() as statements:
        each_world.of("owner").get(f"/orders/{number}")

    assert len(statements) <= 20


def test_the_history_is_in_order_and_chained(each_world: World) -> None:
    """Each line names the hash of the line before it."""
    number = each_world.place()

    events = each_world.of("finance").get(f"/orders/{number}/history").json["items"]

    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert [event["previous"] for event in events[1:]] == [event["hash"] for event in events[:-1]]
    assert [event["step"] for event in events if event["kind"] == "completed" and event["step"]] == [1, 2, 3, 4]
    assert {"seq", "at", "actor", "kind", "step", "element", "name", "hash"} <= events[0].keys()


def test_a_long_history_is_walked_by_pages(world: World) -> None:
    """With a limit it comes in parts, without one whole."""
    number = world.place()
    owner = world.of("owner")
    whole = owner.get(f"/orders/{number}/history").json["items"]
    first = owner.get(f"/orders/{number}/history", limit=2).json
    rest = owner.get(f"/orders/{number}/history", cursor=first["next"]).json

    assert first["items"] + rest["items"] == whole
    assert rest["next"] is None


@pytest.mark.parametrize("path", ["", "/history", "/documents/invoice.pdf"])
@pytest.mark.parametrize("number", ["WB-99999", "%00", "x" * 300, "..", "%F0%9F%98%80"])
def test_an_order_that_is_not_there_is_404(world: World, number: str, path: str) -> None:
    """Also for numbers that no order could have."""
    answer = world.of("owner").get(f"/orders/{number}{path}")

    assert answer.status_code == 404
    assert answer.content_type == "application/problem+json"


# --- papers ----------------------------------------------------------------------------------------------------------


def test_a_paper_is_fetched_as_it_was_made(each_world: World) -> None:
    """The newest of its name, with the bytes that were stored."""
    number = each_world.place()
    files = each_world.app.extensions["waybill"].ports.files
    with each_world.database.write() as session:
        for version in (b"first", b"second"):
            session.add(
                Document(
                    order_number=number,
                    name="invoice.pdf",
                    title="INV-1",
                    content_type="application/pdf",
                    sha256=files.put(version),
                    size=len(version),
                    made_at=each_world.clock.now(),
                    key=version.decode(),
                )
            )

    answer = each_world.of("finance").get(f"/orders/{number}/documents/invoice.pdf")

    assert (answer.status_code, answer.get_data(), answer.content_type) == (200, b"second", "application/pdf")
    assert f"{number}-invoice.pdf" in answer.headers["Content-Disposition"]
    listed = each_world.of("finance").get(f"/orders/{number}").json["documents"]
    assert [(document["name"], document["size"]) for document in listed] == [("invoice.pdf", 6)]


@pytest.mark.parametrize("name", ["label.zpl", "credit-note.pdf", "invoice.xml", "passwd", "..%2F..%2Fsettings.py"])
def test_a_paper_that_is_not_made_is_404(world: World, name: str) -> None:
    """Not yet made, never made, or no paper at all."""
    answer = world.of("owner").get(f"/orders/{world.place()}/documents/{name}")

    assert answer.status_code == 404
    assert answer.content_type == "application/problem+json"


# --- cancelling ------------------------------------------------------------------------------------------------------


def test_an_order_is_cancelled_once(each_world: World) -> None:
    """202 while it is undone, then it is cancelled; asking again changes nothing."""
    number = each_world.place()
    sales = each_world.of("sales")

    first = sales.post(f"/orders/{number}/cancel", {"reason": "The customer called."})
    again = sales.post(f"/orders/{number}/cancel", {"reason": "Once more."})

    assert (first.status_code, again.status_code) == (202, 200)
    assert first.json["state"] in ("cancelling", "cancelled")
    history = sales.get(f"/orders/{number}/history").json["items"]
    assert {event["detail"]["reason"] for event in history if "reason" in event["detail"]} == {"The customer called."}


def test_of_two_who_cancel_at_once_one_began_it(each_world: World) -> None:
    """Both are told that it is being cancelled; exactly one 202 says that it began with that call."""
    number = each_world.place()
    callers = [each_world.of(name) for name in ("sales", "owner")]

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda who: who.post(f"/orders/{number}/cancel", {"reason": "Twice."}), callers))

    assert sorted(answer.status_code for answer in answers) == [200, 202]


def test_a_cancellation_needs_a_reason(world: World) -> None:
    """It is told to the customer and kept."""
    number = world.place()

    for body in ({}, {"reason": ""}, {"reason": "  "}, {"reason": 5}):
        assert fields(world.of("sales").post(f"/orders/{number}/cancel", body)) == ["/reason"]
    assert world.of("sales").get(f"/orders/{number}").json["state"] == "open"


def test_after_the_pickup_it_is_too_late(world: World) -> None:
    """What the courier has cannot be undone from the desk."""
    number = world.place()
    with world.database.write() as session:
        session.execute(update(Instance).values(committed=True))

    answer = world.of("sales").post(f"/orders/{number}/cancel", {"reason": "The customer called."})

    assert answer.status_code == 409
    assert answer.json["type"].endswith("/too-late")


@pytest.mark.parametrize("who", ["warehouse", "stock-approver", "analyst"])
def test_who_may_not_cancel(world: World, who: str) -> None:
    """Cancelling is for those who talk to the customer."""
    number = world.place()

    assert world.of(who).post(f"/orders/{number}/cancel", {"reason": "No."}).status_code == 403
