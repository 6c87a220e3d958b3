"""A client that knows only the API takes an order through all 20 steps."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.web.api_world import World, order_body

PERSON_OF = {
    "sales": "sales",
    "warehouse": "warehouse",
    "finance": "finance",
    "shipping": "shipping",
    "stock-approvers": "stock-approver",
    "payment-approvers": "payment-approver",
}


def do_next(world: World, number: str, messages: list[str]) -> None:
    """What a person or the courier does next, by what the API says of the order."""
    order = world.of("owner").get(f"/orders/{number}").json
    if not order["open_tasks"]:
        messages.append(f"m-{len(messages)}")
        payload = {
            "booking": order["shipments"][-1]["reference"],
            "status": "delivered",
            "at": "2026-11-25T10:00:00Z",
            "place": "New York",
            "note": "Signed by M. Tanaka",
        }
        body = {"id": messages[-1], "order": number, "payload": payload}
        assert world.send("courier.reported", body).status_code == 202
        return
    task = order["open_tasks"][0]
    person = world.of(PERSON_OF[task["team"]])
    detail = person.get(f"/tasks/{task['id']}").json
    if detail["kind"] == "approval":
        body = {"decision": "approve", "comment": "", "snapshot": detail["snapshot"], "password": "demo"}
        answer = person.post(f"/tasks/{task['id']}/decide", body)
    else:
        answer = person.post(f"/tasks/{task['id']}/complete", {"data": detail["form"]["examples"][0]})
    assert answer.status_code == 200, answer.get_data(as_text=True)


def test_an_order_goes_through_all_20_steps(each_world: World) -> None:
    """In order, each in the history; papers, money and stock are there at the end."""
    world = each_world
    number = world.place()
    messages: list[str] = []

    for _ in range(40):
        world.work()
        if world.of("owner").get(f"/orders/{number}").json["state"] == "closed":
            break
        do_next(world, number, messages)

    order = world.of("owner").get(f"/orders/{number}").json
    assert (order["state"], order["incidents"], order["open_tasks"]) == ("closed", [], [])
    assert order["closed_at"] is not None
    history = world.of("owner").get(f"/orders/{number}/history").json["items"]
    steps = [event["step"] for event in history if event["kind"] == "completed" and event["step"]]
    assert list(dict.fromkeys(steps)) == list(range(1, 21))
    payments = world.of("finance").get("/payments", order=number).json["items"]
    captured = sum(p["amount"]["amount"] for p in payments if p["kind"] == "capture" and p["state"] == "done")
    assert captured == order["total"]["amount"] == order["money"]["captured"]["amount"]
    assert order["money"]["due"]["amount"] == 0
    for name in ("invoice.pdf", "packing-slip.pdf", "label.pdf", "label.zpl", "evidence.pdf", "evidence.json"):
        paper = world.of("owner").get(f"/orders/{number}/documents/{name}")
        assert paper.status_code == 200, name
        assert paper.get_data(), name
    again = world.of("sales").post(f"/orders/{number}/cancel", {"reason": "Too late."})
    assert again.status_code == 409


def test_one_key_sent_by_many_at_once_gives_one_order(each_world: World) -> None:
    """A shop that loses patience sends again before the first answer; the customer still pays once."""
    sales = each_world.of("sales")

    def send(_: int) -> Any:
        client = type(sales)(each_world.app.test_client(), sales.token)
        return client.post("/orders", order_body(), headers={"Idempotency-Key": "shop-1"})

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(send, range(6)))

    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
    assert len({answer.json["number"] for answer in answers}) == 1
    assert len(each_world.of("owner").get("/orders").json["items"]) == 1
