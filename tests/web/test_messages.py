"""Messages from outside, as senders, owners and programs meet them."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from standardwebhooks import Webhook
from werkzeug.test import TestResponse

from engine.messages import count_unmatched
from engine.views import Actor
from tests.web.api_world import SECRET, World
from tests.web.visitor import Visitor, visitor
from web import incoming

TRANSFER = {"amount": 3552, "currency": "EUR", "reference": "TR-1"}
NAME = "bank.transfer_received"
SALES = Actor("sales", frozenset({"sales"}))


def signed(world: World, body: dict[str, Any], *, secret: str = SECRET) -> dict[str, str]:
    """The headers of an honest sender."""
    now = world.wall_clock.now()
    return {
        "webhook-id": body["id"],
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(body["id"], now, json.dumps(body)),
    }


def post(world: World, raw: str | bytes, headers: dict[str, str], *, name: str = NAME) -> TestResponse:
    return world.of(None).call(
        "POST", f"/messages/{name}", data=raw, content_type="application/json", headers=headers
    )


def stored(world: World) -> int:
    return len(world.engine.messages().items)


# --- the signature ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spoil",
    [
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": "v1"},
        {"webhook-signature": "nonsense é"},
        {"webhook-signature": ""},
        {"webhook-timestamp": ""},
        {"webhook-timestamp": "yesterday"},
        {"webhook-timestamp": "-1"},
        {"webhook-timestamp": "999999999999"},
        {"webhook-timestamp": "99999999999"},
        {"webhook-timestamp": "0"},
        {"webhook-timestamp": "²"},
        {"webhook-id": ""},
        {"webhook-id": "another"},
    ],
    ids=str,
)
def test_a_message_that_is_not_rightly_signed_is_refused(world: World, spoil: dict[str, str]) -> None:
    """401, whatever is wrong with the headers, and nothing is stored."""
    body = {"id": "m1", "order": "WB-1", "payload": TRANSFER}

    answer = post(world, json.dumps(body), signed(world, body) | spoil)

    assert (answer.status_code, answer.json["type"].rpartition("/")[2]) == (401, "bad-signature")
    assert stored(world) == 0


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_message_without_one_of_the_headers_is_refused(world: World, missing: str) -> None:
    body = {"id": "m1", "order": "WB-1", "payload": TRANSFER}
    headers = signed(world, body)
    del headers[missing]

    assert post(world, json.dumps(body), headers).status_code == 401


@pytest.mark.parametrize(
    ("off", "status"),
    [(timedelta(minutes=-5), 202), (timedelta(minutes=-5, seconds=-2), 401), (timedelta(minutes=5), 202),
     (timedelta(minutes=5, seconds=2), 401)],
)  # fmt: skip
def test_a_time_stamp_holds_for_five_minutes(world: World, off: timedelta, status: int) -> None:
    """Into the past and into the future."""
    answer = world.send(NAME, {"id": "m1", "order": "WB-1", "payload": TRANSFER}, off=off)

    assert answer.status_code == status


def test_a_body_that_was_changed_on_the_way_is_refused(world: World) -> None:
    """Also by a single space."""
    body = {"id": "m1", "order": "WB-1", "payload": TRANSFER}

    for raw in (json.dumps(body).replace("3552", "9552"), json.dumps(body) + " ", "", b"\xff"):
        assert post(world, raw, signed(world, body)).status_code == 401
    assert stored(world) == 0


def test_a_sender_may_sign_with_two_secrets(world: World) -> None:
    """While a secret is replaced, senders sign with the old and the new one: one that fits is enough."""
    other = "whsec_" + base64.b64encode(b"another secret of thirty-two byte").decode()
    body = {"id": "m1", "order": "WB-1", "payload": TRANSFER}
    headers, theirs = signed(world, body), signed(world, body, secret=other)["webhook-signature"]
    both = f"v1a,notours {theirs} {headers['webhook-signature']}"

    assert post(world, json.dumps(body), headers | {"webhook-signature": theirs}).status_code == 401
    assert post(world, json.dumps(body), headers | {"webhook-signature": both}).status_code == 202


# --- the message -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [{"payload": {**TRANSFER, "amount": 1}}, {"order": "WB-2"}],
    ids=["payload", "order"],
)
def test_an_id_that_is_used_for_something_else_is_told(each_world: World, other: dict[str, Any]) -> None:
    """The first one stands. 200, so that nobody repeats it for ever, and the answer says that it was not stored."""
    body = {"id": "m1", "order": "WB-1", "payload": TRANSFER}
    assert each_world.send(NAME, body).status_code == 202

    same = each_world.send(NAME, json.loads(json.dumps(body, sort_keys=True)))
    differs = each_world.send(NAME, body | other)

    assert (same.status_code, same.json["accepted"], same.json["differs"]) == (200, False, False)
    assert (differs.status_code, differs.json["accepted"], differs.json["differs"]) == (200, False, True)
    assert "not stored" in differs.json["detail"]
    [message] = each_world.engine.messages().items
    assert (message.order, message.payload) == ("WB-1", TRANSFER)


def test_a_name_that_no_process_waits_for_is_refused(world: World) -> None:
    """A sender's slip is told to the sender, with the names that are known."""
    answer = world.send("bank.transfer_recieved", {"id": "m1", "order": "WB-1", "payload": {}})

    assert answer.status_code == 422
    assert answer.json["errors"][0]["field"] == "/name"
    assert NAME in answer.json["errors"][0]["message"]
    assert stored(world) == 0


def test_a_body_beyond_all_measure_is_refused(world: World) -> None:
    """Before anything of it is read."""
    body = {"id": "m1", "order": "WB-1", "payload": {"x": "y" * 5_000_000}}

    assert world.send(NAME, body).status_code == 413


def test_a_signed_body_that_is_no_json_is_refused(world: World) -> None:
    body = {"id": "m1"}
    now = world.wall_clock.now()
    for raw in ("{", "[]", "null", '{"id": "m1", "id": "m1", "order": "WB-1"}'):
        headers = signed(world, body) | {"webhook-signature": Webhook(SECRET).sign("m1", now, raw)}
        assert post(world, raw, headers).status_code == 422, raw


# --- the calls -------------------------------------------------------------------------------------------------------


def test_programs_list_and_set_aside(each_world: World) -> None:
    """State, order and paging; who may; what it answers."""
    owner, order = each_world.of("owner"), each_world.place()
    each_world.send("stock.arrived", {"id": "early", "order": order, "payload": {}})
    for number in range(3):
        each_world.send("courier.reported", {"id": f"m{number}", "order": "WB-0", "payload": {"status": "lost"}})

    first = owner.get("/messages", state="unmatched", limit=2).json
    rest = owner.get("/messages", state="unmatched", limit=2, cursor=first["next"]).json
    assert [m["message_id"] for m in first["items"] + rest["items"]] == ["m2", "m1", "m0"]
    assert (rest["next"], first["items"][0]["why"], first["items"][0]["order_state"]) == (None, "no_order", None)
    [early] = owner.get("/messages", state="waiting", order=order).json["items"]
    assert (early["why"], early["order_state"], early["payload"]) == ("early", "open", {})

    path = f"/messages/{early['id']}"
    assert each_world.of("sales").post(f"{path}/set-aside", {"reason": "Known."}).status_code == 403
    assert owner.post(f"{path}/set-aside", {"reason": " "}).status_code == 422
    aside = owner.post(f"{path}/set-aside", {"reason": "Known."})
    assert (aside.status_code, aside.json["state"]) == (200, "set_aside")
    assert (aside.json["set_aside"]["by"], aside.json["set_aside"]["reason"]) == ("owner", "Known.")
    assert owner.post(f"{path}/set-aside", {"reason": "Known."}).status_code == 409
    assert each_world.of("sales").get(path).json == aside.json
    assert owner.post(f"{path}/put-back").json["state"] == "waiting"
    assert owner.post(f"{path}/put-back").status_code == 409


def test_what_is_not_there_is_404(world: World) -> None:
    owner = world.of("owner")
    for number in ("1", "x", "9" * 40, "-1"):
        assert owner.get(f"/messages/{number}").status_code == 404
        assert owner.post(f"/messages/{number}/put-back").status_code == 404
    assert owner.get("/messages", state="nonsense").status_code == 422
    assert owner.get("/messages", cursor="nonsense").status_code == 422


# --- the pages -------------------------------------------------------------------------------------------------------


def numbers(who: Visitor) -> str:
    """What stands beside Messages in the menu."""
    [link] = who.goes("/inbox").find("//nav[@aria-label='Main']/a[contains(., 'Messages')]")
    return " ".join(link.text_content().split())


def test_the_owner_sets_a_message_aside_and_puts_it_back(each_world: World) -> None:
    """It is counted beside the menu until somebody has looked; the order's history tells who and why."""
    order = each_world.place()
    each_world.engine.cancel(order, SALES, "Changed her mind")
    each_world.work()
    each_world.send(NAME, {"id": "t1", "order": order, "payload": TRANSFER})
    who = visitor(each_world, "owner")
    assert numbers(who) == "Messages 1"

    listed = who.goes("/messages")
    assert "the order has ended" in listed.text
    address = listed.link("a transfer of €35.52 was received")
    page = who.goes(address)
    assert "The order has ended. No order will take it." in page.text
    assert "TR-1" in page.text

    nothing = who.sends(f"{address}/set-aside", page.form("/set-aside"), reason=" ")
    assert nothing.status == 422
    assert "Say why" in nothing.text
    done = who.sends(f"{address}/set-aside", page.form("/set-aside"), reason="Paid back by hand.")
    assert "is set aside" in done.text
    assert "Paid back by hand." in done.text
    assert numbers(who) == "Messages"
    assert "Every message has its order" in who.goes("/messages").text
    assert "Paid back by hand." in who.goes("/messages?state=set_aside").text
    assert "set aside what was reported of a bank transfer" in who.goes(f"/orders/{order}").text
    assert "was received that nothing waits for" not in who.goes(f"/orders/{order}").text

    again = who.sends(f"{address}/set-aside", page.form("/set-aside"), reason="Once more.")
    assert "has set this message aside already" in again.text
    back = who.sends(f"{address}/put-back", done.form("/put-back"))
    assert "The message is put back." in back.text
    assert numbers(who) == "Messages 1"


def test_operators_read_and_do_not_set_aside(world: World) -> None:
    """Finance looks after the money; that it is done with is the house's word."""
    world.send("stock.arrived", {"id": "s1", "order": "WB-0", "payload": {}})
    who = visitor(world, "finance")

    page = who.goes(who.goes("/messages").link("stock was reported"))

    assert "There is no such order" in page.text
    assert page.find("//textarea") == []
    [message] = world.engine.messages().items
    token = page.form("/sign-out")["csrf_token"]
    assert who.sends(f"/messages/{message.id}/set-aside", {"csrf_token": token, "reason": "x"}).status == 403


def test_lists_of_messages_go_on(world: World) -> None:
    """Fifty at a time, newest first; a made-up cursor or state finds the first page."""
    for number in range(51):
        world.engine.deliver("stock.arrived", f"WB-{number}", {}, source="c", message_id=str(number))
    who = visitor(world, "admin")

    page = who.goes("/messages")
    assert len(page.find("//table[@aria-label='Messages']/tbody/tr")) == 50
    assert len(who.goes(page.link("Older")).find("//table[@aria-label='Messages']/tbody/tr")) == 1
    for query in ("cursor=x", "cursor=-5", "cursor=" + "9" * 30, "state=nonsense"):
        assert len(who.goes(f"/messages?{query}").find("//table[@aria-label='Messages']/tbody/tr")) == 50
    assert who.goes("/messages/999999").status == 404


def test_the_number_beside_the_menu_is_read_by_indexes(each_world: World) -> None:
    """Counting looks at the untaken messages only, and at the instance of each by its key."""
    statement = count_unmatched(unless=incoming.everyday())
    with each_world.database.read() as session:
        sql = str(statement.compile(session.get_bind(), compile_kwargs={"literal_binds": True})).replace(":", "\\:")
        if each_world.database.is_sqlite:
            plan = "\n".join(str(row) for row in session.execute(text(f"EXPLAIN QUERY PLAN {sql}")))
            assert "USING INDEX message_waiting" in plan
        else:
            session.execute(text("SET LOCAL enable_seqscan = off"))
            plan = "\n".join(str(row) for row in session.execute(text(f"EXPLAIN {sql}")))
            assert "message_waiting" in plan
    assert "SCAN instance" not in plan
    assert "Seq Scan" not in plan
