"""Live orders and a change, as programs and pages see them: the impact, the move, and what became of each order."""

from __future__ import annotations

from engine.views import Actor
from tests.scenarios.redrawing import Redrawn
from tests.web.api_world import Caller, World
from tests.web.visitor import Page, Visitor, visitor

KEY = "order_fulfillment"
ANALYST = Actor("analyst", frozenset({"analysts"}))


def deploys(world: World, redrawn: Redrawn) -> int:
    return world.engine.deploy(redrawn.bundle, ANALYST, origin="upload", reason="Gifts.", base_version=1)[0].version


def gift_wrap() -> Redrawn:
    return Redrawn().puts_in("gift_wrap", after="package_products")


def kind_of(caller: Caller, body: dict[str, object]) -> tuple[int, str]:
    answer = caller.post(f"/processes/{KEY}/migrate", body)
    return answer.status_code, answer.json["type"].rpartition("/")[2]


def test_an_analyst_asks_what_a_change_does_and_moves_the_orders(world: World) -> None:
    """202 with the place where to look; a result for each order, page by page."""
    orders = sorted(world.place() for _ in range(3))
    world.work()
    version = deploys(world, gift_wrap())
    analyst = world.of("analyst")

    impact = world.of("sales").get(f"/processes/{KEY}/impact", to=version).json
    dry = analyst.post(f"/processes/{KEY}/migrate", {"to": version, "reason": "Gifts.", "dry_run": True})
    begun = analyst.post(f"/processes/{KEY}/migrate", {"to": version, "reason": "Gifts."})
    world.work()
    done = analyst.get(begun.headers["Location"], limit=2).json

    assert (impact["total"], impact["can_move"], impact["to_version"]) == (3, 3, version)
    assert impact["groups"] == [{"kind": "moves", "element": "gift_wrap", "name": "Gift wrap",
                                 "why": "before step 11", "count": 3, "orders": orders}]
    assert (dry.status_code, dry.json["groups"]) == (200, impact["groups"])
    assert (begun.status_code, begun.json["waiting"]) == (202, 3)
    assert (done["moved"], done["waiting"], done["actor"], done["reason"]) == (3, 0, "analyst", "Gifts.")
    assert [(i["order"], i["state"], i["from_version"]) for i in done["items"]] == [(n, "moved", 1) for n in orders[:2]]
    rest = analyst.get(begun.headers["Location"], limit=2, cursor=done["next"]).json
    assert ([i["order"] for i in rest["items"]], rest["next"]) == (orders[2:], None)
    assert world.of("sales").get(f"/orders/{orders[0]}").json["process_version"] == version


def test_what_cannot_be_is_refused_by_name(world: World) -> None:
    """No such version or process, one that waits for consent, no reason, an order that is not there, not an analyst."""
    number = world.place()
    world.engine.propose(gift_wrap().bundle, ANALYST, reason="Gifts.", base_version=1, key=KEY)
    analyst = world.of("analyst")

    assert kind_of(analyst, {"to": 9, "reason": "x"}) == (404, "not-found")
    assert kind_of(analyst, {"to": 2, "reason": "x"}) == (409, "conflict")
    assert kind_of(analyst, {"to": 1, "reason": " "}) == (422, "bad-input")
    assert kind_of(analyst, {"to": 1, "reason": "x", "orders": [number, "WB-0"]}) == (422, "bad-input")
    assert kind_of(world.of("sales"), {"to": 1, "reason": "x"}) == (403, "not-allowed")
    assert analyst.get("/processes/nothing/impact", to=1).status_code == 404
    assert analyst.get(f"/processes/{KEY}/impact", to=9).status_code == 404
    assert analyst.get(f"/processes/{KEY}/impact").json["errors"][0]["field"] == "/to"
    assert analyst.get(f"/processes/{KEY}/migrations/1").status_code == 404
    assert analyst.get(f"/processes/{KEY}/impact", to=2).json["can_move"] == 1, "also before it is deployed"


def asks(who: Visitor, version: int, reason: str) -> Page:
    """Sends the form that moves all live orders."""
    token = who.goes("/processes").value("csrf_token")
    return who.sends(f"/processes/{KEY}/{version}/migrate", {"csrf_token": token, "reason": reason}, follow=False)


def test_the_page_shows_how_far_it_is_and_what_became_of_each(world: World) -> None:
    """A bar, the counts, a line for each order; it asks again while orders wait, and rests when all are done."""
    moved, stays = world.place(), world.place()
    world.work()
    version = deploys(world, gift_wrap())
    world.engine.migrate(KEY, version, ANALYST, reason="First.", orders=[stays])
    world.work()
    analyst = visitor(world, "analyst")

    begun = asks(analyst, version, "Gift <b>wrap</b>")
    address = begun.answer.headers["Location"]
    waiting = analyst.goes(address)
    world.work()
    done = analyst.goes(address)

    assert "0 of 1 order has been looked at" in waiting.text
    assert waiting.find("//div[@id='moves']/@hx-get")
    assert "1 of 1 order moved." in done.text
    assert not done.find("//div[@id='moves']/@hx-get")
    assert (done.find("//progress/@value"), done.find("//progress/@max")) == (["1"], ["1"])
    assert "“Gift <b>wrap</b>”" in done.text
    assert moved in done.text
    assert stays not in done.text
    assert analyst.goes(f"{address}?state=refused").text.count("No order is among these.") == 1
    assert analyst.goes(f"{address}?state=nonsense").status == 404
    assert analyst.goes(f"{address}?after=%00").status == 404
    assert "moved the order from version 1 to version 2 of the process" in analyst.goes(f"/orders/{moved}").text


def test_a_page_without_a_reason_says_so(world: World) -> None:
    """And those who are no analysts may look, not move."""
    version = deploys(world, gift_wrap())

    refused = asks(visitor(world, "analyst"), version, "")

    assert (refused.status, refused.heading) == (422, "No order was moved")
    assert asks(visitor(world, "sales"), version, "x").status == 403
