"""What banks, couriers, shops and watchers reach: messages, processes, instances, jobs, stock, payments, health."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from engine.definitions import Bundle
from engine.store.tables import Job, Message, ProcessVersion
from handlers.tables import Payment
from settings import ROOT
from tests.web.api_world import BASE, World, order_body

TRANSFER = {"amount": 3552, "currency": "EUR", "reference": "TR-1"}


def kind_of(answer: Any) -> str:
    assert answer.content_type == "application/problem+json"
    return str(answer.json["type"]).rpartition("/")[2]


def stored_messages(world: World) -> int:
    with world.database.read() as session:
        return session.scalar(select(func.count()).select_from(Message)) or 0


# --- who calls -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header", ["Bearer nonsense", "Bearer", "Bearer ", "Basic c2FsZXM6ZGVtbw==", "wb_x", "Bearer é"]
)
def test_a_wrong_token_is_401(world: World, header: str) -> None:
    """Whatever stands in the header, also for somebody who is signed in beside it."""
    answer = world.of(None).call("GET", "/orders", headers={"Authorization": header})

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert kind_of(answer) == "not-signed-in"


def test_every_call_but_a_signed_one_needs_a_caller(world: World) -> None:
    """No call was forgotten."""
    from web.api import routes
    from web.permissions import SIGNED

    for route in routes():
        path = re.sub(r"<\w+>", "x", route.path)
        answer = world.of(None).call(route.method, path)
        assert answer.status_code == 401, route.name
        assert route.has_caller or route.permission == SIGNED


def test_the_session_of_a_browser_may_call_too(world: World) -> None:
    """It reads as it is; to write it must show the token that no foreign page can know."""
    client = world.app.test_client()
    page = client.get("/sign-in").get_data(as_text=True)
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert found
    signed_in = client.post("/sign-in", data={"name": "sales", "password": "demo", "csrf_token": found.group(1)})
    assert signed_in.status_code in (302, 303)
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/orders").get_data(as_text=True))
    assert token

    assert client.get(f"{BASE}/orders").status_code == 200
    bare = client.post(f"{BASE}/orders", json=order_body())
    assert (bare.status_code, kind_of(bare)) == (403, "csrf")
    wrong = client.post(f"{BASE}/orders", json=order_body(), headers={"X-CSRFToken": "made up"})
    assert (wrong.status_code, kind_of(wrong)) == (403, "csrf")
    empty = client.post(f"{BASE}/orders", json=order_body(), headers={"Authorization": "Bearer "})
    assert empty.status_code == 401, "a token that is none stands beside no session, whose own token it would replace"
    right = client.post(f"{BASE}/orders", json=order_body(), headers={"X-CSRFToken": token.group(1)})
    assert right.status_code == 201


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("POST", "/nothing", 404),
        ("DELETE", "/orders", 405),
        ("PATCH", "/orders/WB-1", 405),
        ("TRACE", "/orders", 405),
        ("GET", "/orders/", 404),
        ("GET", "/api/v2/orders", 404),
    ],
)
def test_an_unknown_address_is_a_problem_too(world: World, method: str, path: str, status: int) -> None:
    """A client reads JSON also when it is lost."""
    answer = world.of("sales").call(method, path)

    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    if status == 405:
        assert answer.headers["Allow"]


def test_each_type_of_problem_has_a_page(world: World) -> None:
    """The address in `type` explains it."""
    answer = world.of("sales").get("/orders/nothing")
    page = world.app.test_client().get(answer.json["type"])

    assert (page.status_code, page.content_type) == (200, "text/plain; charset=utf-8")
    assert world.app.test_client().get("/problems/nonsense").status_code == 404


# --- messages --------------------------------------------------------------------------------------------------------


def test_a_message_is_taken_once(each_world: World) -> None:
    """202, and 200 for the same id; it is stored once."""
    body = {"id": "msg-1", "order": each_world.place(), "payload": TRANSFER}

    answers = [each_world.send("bank.transfer_received", body) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [202, 200]
    assert [answer.json for answer in answers] == [
        {"id": "msg-1", "accepted": True},
        {"id": "msg-1", "accepted": False, "differs": False, "detail": "It had come before. Nothing was done again."},
    ]
    assert stored_messages(each_world) == 1


def test_only_signed_messages_are_taken(world: World) -> None:
    """A token is no signature, an old signature is none, and one id cannot be signed as another."""
    body = {"id": "msg-1", "order": world.place(), "payload": {}}

    assert world.of("admin").post("/messages/bank.transfer_received", body).status_code == 401
    assert kind_of(world.send("bank.transfer_received", body, off=timedelta(minutes=-6))) == "bad-signature"
    assert world.send("bank.transfer_received", body, message_id="msg-2").status_code == 422
    assert stored_messages(world) == 0


def test_the_demos_clock_does_not_move_the_senders(world: World) -> None:
    """Senders outside live in real time, whatever time the shop plays."""
    world.clock.advance(days=10)

    assert (
        world.send("bank.transfer_received", {"id": "m", "order": world.place(), "payload": TRANSFER}).status_code
        == 202
    )


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"id": "m", "payload": {}}, "/order"),
        ({"id": "m", "order": "WB-1", "payload": []}, "/payload"),
        ({"id": "m", "order": "a b", "payload": {}}, "/order"),
        ({"id": "m", "order": "WB-1", "payload": {}, "to": "x"}, "/to"),
        ({"id": "m", "order": "WB-1", "payload": {"x": "y" * 100_000}}, "/payload"),
    ],
)
def test_a_signed_message_of_the_wrong_shape_is_named(world: World, body: dict[str, Any], field: str) -> None:
    """A fault of the sender is told to the sender, not stored."""
    answer = world.send("bank.transfer_received", body)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["errors"]] == [field]
    assert stored_messages(world) == 0


@pytest.mark.parametrize(
    ("name", "payload", "field"),
    [
        ("bank.transfer_received", {**TRANSFER, "amount": 0}, "/payload/amount"),
        ("bank.transfer_received", {**TRANSFER, "amount": "3552"}, "/payload/amount"),
        ("bank.transfer_received", {**TRANSFER, "amount": True}, "/payload/amount"),
        ("bank.transfer_received", {**TRANSFER, "currency": "euro"}, "/payload/currency"),
        ("bank.transfer_received", {"amount": 1, "currency": "EUR", "reference": 7}, "/payload/reference"),
        ("bank.transfer_received", {**TRANSFER, "payer": 5}, "/payload/payer"),
        ("courier.picked_up", {"at": "2026-11-23T09:06:00Z"}, "/payload/booking"),
        ("courier.picked_up", {"booking": "B-1", "at": "yesterday"}, "/payload/at"),
        ("courier.picked_up", {"booking": "B-1", "driver": ["Jo"]}, "/payload/driver"),
        ("courier.reported", {"booking": "B-1", "status": "eaten"}, "/payload/status"),
        ("courier.reported", {"booking": "B-1", "status": ["lost"]}, "/payload/status"),
        ("courier.reported", {"booking": "B-1", "status": "lost", "at": "2026-02-30T00:00:00Z"}, "/payload/at"),
        ("stock.arrived", {"note": "x" * 5000}, "/payload"),
    ],
)
def test_a_message_must_say_what_the_shop_can_use(world: World, name: str, payload: dict[str, Any], field: str) -> None:
    """A fault in the payload is named by its place, and nothing is stored."""
    answer = world.send(name, {"id": "m", "order": "WB-1", "payload": payload})

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["errors"]] == [field]
    assert stored_messages(world) == 0


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("bank.transfer_received", {**TRANSFER, "payer": "Mia Tanaka", "iban": "extra"}),
        ("courier.picked_up", {"booking": "B-1", "at": "2026-11-23T10:06:00.5+01:00", "driver": "Jo"}),
        ("courier.reported", {"booking": "B-1", "status": "delayed", "at": "2026-11-23T09:06:00Z", "place": "Lyon"}),
        ("stock.arrived", {}),
    ],
)
def test_a_message_that_says_enough_is_taken(world: World, name: str, payload: dict[str, Any]) -> None:
    """The four messages the shop knows, with optional and further fields."""
    assert world.send(name, {"id": "m", "order": "WB-1", "payload": payload}).status_code == 202


def test_a_message_that_no_process_knows_is_refused(world: World) -> None:
    """A misspelt name is told to the sender, with the names that are known."""
    answer = world.send("bank.transfer_recieved", {"id": "m", "order": world.place(), "payload": {}})

    assert answer.status_code == 422
    assert answer.json["errors"][0]["field"] == "/name"
    for known in ("bank.transfer_received", "courier.picked_up", "courier.reported", "stock.arrived"):
        assert known in answer.json["errors"][0]["message"]
    assert stored_messages(world) == 0


def test_a_message_of_an_analysts_own_process_is_taken(world: World) -> None:
    """What a deployed process catches may come with any small payload."""
    with world.engine.transaction() as session:
        session.add(an_own_process())

    answer = world.send("sample.ready", {"id": "m", "order": "S-1", "payload": {"any": [1, {"thing": None}]}})

    assert answer.status_code == 202


def an_own_process() -> ProcessVersion:
    """A version that waits for `sample.ready`."""
    diagram = b"""<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL">
      <message id="m" name="sample.ready"/><message id="t" name="sample.thrown"/>
      <process id="sample"><receiveTask id="wait" messageRef="m"/></process></definitions>"""
    bundle = Bundle({"processes/sample.bpmn": diagram})
    return ProcessVersion(
        key="sample", name="Sample", version=1, content_hash=bundle.content_hash, bundle=bundle.pack(), origin="page",
        reason="", deployed_by="analyst", deployed_at=datetime(2026, 11, 23, tzinfo=UTC),
        state="deployed", answered_at=None, answer="",
    )  # fmt: skip


# --- processes and instances -----------------------------------------------------------------------------------------


def test_what_is_deployed_is_listed(world: World) -> None:
    """Each process with its newest version, and the versions of one."""
    analyst = world.of("analyst")

    keys = [version["key"] for version in analyst.get("/processes").json["items"]]
    versions = analyst.get("/processes/order_fulfillment/versions").json["items"]

    assert "order_fulfillment" in keys
    assert [(version["version"], version["origin"]) for version in versions] == [(1, "folder")]
    assert analyst.get("/processes/nothing/versions").status_code == 404


def shipped_bundle() -> dict[str, Any]:
    def files(folder: str, pattern: str) -> list[Any]:
        return [(io.BytesIO(path.read_bytes()), path.name) for path in sorted((ROOT / folder).glob(pattern))]

    return {
        "diagram": files("processes", "*.bpmn"),
        "decisions": files("processes", "*.dmn"),
        "forms": files("forms", "*.json"),
    }


def check(world: World, data: dict[str, Any], who: str = "analyst") -> Any:
    return world.of(who).call("POST", "/processes/check", data=data, content_type="multipart/form-data")


def test_the_shipped_bundle_can_be_deployed(world: World) -> None:
    """What stands in the folders passes the check that uploads meet."""
    answer = check(world, shipped_bundle())

    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert answer.json["deployable"] is True


def test_every_problem_of_a_bundle_is_told(world: World) -> None:
    """With file, element and what to do."""
    bundle = shipped_bundle()
    bundle["diagram"] = [(io.BytesIO(b"<definitions>"), "broken.bpmn")]

    answer = check(world, bundle)

    assert (answer.status_code, kind_of(answer)) == (422, "cannot-deploy")
    assert answer.json["findings"]
    assert {"file", "element", "message", "advice"} <= answer.json["findings"][0].keys()


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"diagram": "a text"},
        {"diagram": (io.BytesIO(b""), "x.txt")},
        {"diagram": (io.BytesIO(b""), ".bpmn"), "colour": "red"},
        {"forms": (io.BytesIO(b"{}"), "x.json")},
    ],
)
def test_a_bundle_without_its_parts_is_bad_input(world: World, data: dict[str, Any]) -> None:
    """Before anything is parsed."""
    assert check(world, data).status_code == 422


def test_who_may_check_a_bundle(world: World) -> None:
    """Analysts; operators do not draw."""
    assert check(world, {}, "sales").status_code == 403
    assert world.of("analyst").post("/processes/check", {"diagram": ""}).status_code == 415


def test_a_process_is_started_once_per_business_key(each_world: World) -> None:
    """The instance is there for who asks again; its task is in the inbox."""
    sales = each_world.of("sales")

    first = sales.post("/processes/order_fulfillment/start", {"business_key": "SHOP-7"})
    again = sales.post("/processes/order_fulfillment/start", {"business_key": "SHOP-7", "data": {}})

    assert (first.status_code, again.status_code) == (201, 200)
    assert (first.json["business_key"], first.json["state"]) == ("SHOP-7", "open")
    assert first.json["id"] == again.json["id"]
    assert sales.get(f"/instances/{first.json['id']}").json["business_key"] == "SHOP-7"
    assert [task["step"] for task in sales.get("/tasks", order="SHOP-7").json["items"]] == [1]


def test_an_orders_variables_cannot_be_brought_along(world: World) -> None:
    """What the diagram believes of an order, its forms and operations wrote: `data` is the form of step 1."""
    body = {"business_key": "SHOP-7", "data": {"payment": {"status": "captured"}}}

    answer = world.of("sales").post("/processes/order_fulfillment/start", body)

    assert answer.status_code == 422
    assert "/data/payment" in [error["field"] for error in answer.json["errors"]]


@pytest.mark.parametrize(
    ("who", "key", "body", "status"),
    [
        ("sales", "nothing", {"business_key": "A-1"}, 404),
        ("warehouse", "order_fulfillment", {"business_key": "A-1"}, 403),
        ("sales", "order_fulfillment", {"business_key": "a b"}, 422),
        ("sales", "order_fulfillment", {"business_key": "../x"}, 422),
        ("sales", "order_fulfillment", {"business_key": ""}, 422),
        ("sales", "order_fulfillment", {}, 422),
        ("sales", "order_fulfillment", {"business_key": "A-1", "data": [1]}, 422),
    ],
)
def test_a_start_that_cannot_be(world: World, who: str, key: str, body: dict[str, Any], status: int) -> None:
    """Nothing is started."""
    assert world.of(who).post(f"/processes/{key}/start", body).status_code == status
    assert world.of("owner").get("/orders").json["items"] == []


def test_an_instance_that_is_not_there_is_404(world: World) -> None:
    """By an id that nobody gave out."""
    for id_ in ("x", "%00", "00000000-0000-0000-0000-000000000000"):
        assert world.of("owner").get(f"/instances/{id_}").status_code == 404


# --- jobs ------------------------------------------------------------------------------------------------------------


def test_incidents_are_listed_and_retried(each_world: World) -> None:
    """A dead job is seen with its order, and a person brings it back; one that lives is not retried."""
    number = each_world.place()
    with each_world.database.write() as session:
        job = session.scalars(select(Job).where(Job.kind == "timer")).first()
        assert job
        session.execute(update(Job).where(Job.id == job.id).values(state="dead", error="The courier is silent."))
    owner = each_world.of("owner")

    dead = owner.get("/jobs", state="dead").json["items"]
    assert [(one["id"], one["order"], one["error"]) for one in dead] == [(job.id, number, "The courier is silent.")]
    assert owner.get(f"/orders/{number}").json["incidents"][0]["id"] == job.id
    assert owner.get("/orders").json["items"][0]["incidents"][0]["error"] == "The courier is silent."
    assert each_world.of("stock-approver").post(f"/jobs/{job.id}/retry").status_code == 403

    assert owner.post(f"/jobs/{job.id}/retry").status_code == 200
    assert owner.get("/jobs", state="dead").json["items"] == []
    assert owner.post(f"/jobs/{job.id}/retry").status_code == 409
    assert owner.post("/jobs/nothing/retry").status_code == 404


@pytest.mark.parametrize("query", [{"state": "lost"}, {"cursor": "|"}, {"cursor": "2026-01-01|x"}, {"limit": 0}])
def test_a_wrong_question_about_jobs_is_422(world: World, query: dict[str, Any]) -> None:
    """Named as in every list."""
    assert world.of("owner").get("/jobs", **query).status_code == 422


@pytest.mark.parametrize("path", ["/jobs", "/tasks", "/orders"])
@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_a_cursor_at_the_end_of_time_is_no_error_of_ours(world: World, path: str, at: str) -> None:
    """Times that no calendar can move to UTC come only from made-up cursors."""
    assert world.of("owner").get(path, cursor=f"{at}|x").status_code == 422


# --- stock and payments ----------------------------------------------------------------------------------------------


def test_stock_per_product_and_region(world: World) -> None:
    """What an order has reserved is no longer available."""
    world.place()
    warehouse = world.of("warehouse")

    rows = warehouse.get("/inventory").json["items"]

    assert len(rows) == 15
    assert all(row["available"] == row["on_hand"] - row["reserved"] for row in rows)
    taken = [(row["sku"], row["region"], row["reserved"]) for row in rows if row["reserved"]]
    assert taken == [("product-a", "north_america", 2)]
    first = warehouse.get("/inventory", limit=10).json
    second = warehouse.get("/inventory", limit=10, cursor=first["next"]).json
    assert first["items"] + second["items"] == rows
    assert second["next"] is None
    assert len(warehouse.get("/inventory", sku="product-b", region="europe").json["items"]) == 1


def test_payments_in_order_and_by_pages(each_world: World) -> None:
    """Of one order or of all, oldest first, as money objects."""
    number, other = each_world.place(), each_world.place()
    with each_world.database.write() as session:
        for n, (order, kind) in enumerate([(number, "capture"), (other, "capture"), (number, "refund")]):
            session.add(
                Payment(
                    key=f"k{n}",
                    order_number=order,
                    kind=kind,
                    method="credit_card",
                    amount=100 + n,
                    currency="USD",
                    state="done",
                    reference=None,
                    message="",
                    at=each_world.clock.now(),
                )
            )
    finance = each_world.of("finance")

    def amounts(**query: Any) -> list[int]:
        return [row["amount"]["amount"] for row in finance.get("/payments", **query).json["items"]]

    assert amounts() == [100, 101, 102]
    assert amounts(order=number) == [100, 102]
    first = finance.get("/payments", limit=2).json
    assert [*amounts(limit=2), *amounts(cursor=first["next"])] == [100, 101, 102]
    assert first["items"][0]["amount"] == {"amount": 100, "currency": "USD"}
    assert {"order", "kind", "method", "state", "at"} <= first["items"][0].keys()
    assert finance.get("/payments", order="WB-1").status_code == 404


# --- health ----------------------------------------------------------------------------------------------------------


def test_alive_and_ready(world: World) -> None:
    """Alive says the process answers; ready says database and worker do."""
    client = world.app.test_client()

    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").json == {"status": "ready", "database": True, "worker": True}


def test_not_ready_without_a_worker(world: World) -> None:
    """Orders would be taken and not worked on."""
    from dataclasses import replace

    world.app.extensions["waybill"] = replace(world.app.extensions["waybill"], worker_alive=lambda: False)

    answer = world.app.test_client().get("/readyz")

    assert (answer.status_code, answer.json["worker"]) == (503, False)


def test_metrics_count_orders_tasks_and_jobs(each_world: World) -> None:
    """What an alarm is set on: late tasks, dead jobs, slow requests."""
    each_world.place()
    each_world.clock.advance(days=40)

    text = each_world.app.test_client().get("/metrics").get_data(as_text=True)

    assert 'waybill_orders{state="open"} 1.0' in text
    assert 'waybill_open_tasks{team="stock-approvers"} 1.0' in text
    assert 'waybill_late_tasks{team="stock-approvers"} 1.0' in text
    assert 'waybill_jobs{state="dead"} 0.0' in text
    assert 'waybill_request_seconds_count{method="POST",route="/api/v1/orders",status="201"} 1.0' in text
    assert "WB-" not in text


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("203.0.113.9", {}, 401),
        ("127.0.0.1", {"X-Forwarded-For": "203.0.113.9"}, 401),
        ("127.0.0.1", {"forwarded": "for=203.0.113.9"}, 401),
    ],
)
def test_metrics_are_for_this_machine_or_a_token(
    world: World, address: str, headers: dict[str, str], status: int
) -> None:
    """A proxy on this machine does not open them to the world."""
    client = world.app.test_client()

    assert client.get("/metrics", headers=headers, environ_base={"REMOTE_ADDR": address}).status_code == status
    token = {"Authorization": f"Bearer {world.of('owner').token}"}
    with_token = client.get("/metrics", headers={**headers, **token}, environ_base={"REMOTE_ADDR": address})
    assert with_token.status_code == 200
