"""API tokens: what they may be used for, until when, and how often."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.api_world import World, order_body
from tests.web.test_account import kinds, sends
from tests.web.test_api_tasks import kind_of
from tests.web.visitor import visitor
from web import accounts
from web.permissions import PERMISSIONS, SCOPES, out_of_scope
from web.rate import Rate
from web.services import KEY


def with_token(world: World, name: str, *scopes: str, days: int = 90) -> Any:
    """A program that works in somebody's name."""
    with world.database.write() as session:
        world.tokens[name] = accounts.create_token(
            session, name, world.wall_clock.now(), scopes=scopes or ("all",), days=days
        )
    return world.of(name)


def test_a_token_does_what_its_scopes_say(each_world: World) -> None:
    """Beyond them it is 403, which names the scope that is needed, whatever its person may do."""
    reader = with_token(each_world, "sales", "read")
    assert reader.get("/orders").status_code == 200
    refused = reader.post("/orders", order_body())
    assert (refused.status_code, kind_of(refused)) == (403, "out-of-scope")
    assert "scope orders" in refused.json["detail"]

    shop = with_token(each_world, "sales", "orders")
    assert shop.post("/orders", order_body()).status_code == 201
    assert "scope read" in shop.get("/orders").json["detail"]
    assert "scope tasks" in shop.post("/tasks/x/claim").json["detail"]


def test_a_scope_gives_nobody_a_right(world: World) -> None:
    """A token may no more than its person."""
    answer = with_token(world, "warehouse", "orders").post("/orders", order_body())

    assert (answer.status_code, kind_of(answer)) == (403, "not-allowed")


def test_the_orders_own_process_asks_for_its_scope_too(world: World) -> None:
    """No way around it."""
    starter = with_token(world, "sales", "processes")

    answer = starter.post("/processes/order_fulfillment/start", {"business_key": "WB-90001", "data": {}})

    assert kind_of(answer) == "out-of-scope"


@pytest.mark.parametrize("name", sorted(PERMISSIONS))
def test_every_permission_has_its_scope(name: str) -> None:
    """One scope, or `all`, or none: a new permission is open to no narrow token by mistake."""
    covering = [scope for scope in SCOPES if out_of_scope([scope], name) is None]

    assert len(covering) <= 1
    assert (out_of_scope(["all"], name) is None) == (name not in ("account", "people.write"))
    assert out_of_scope(None, name) is None
    assert set(accounts.SCOPES) == {*SCOPES, "all"}


@pytest.mark.parametrize("address", ["/account", "/inbox", "/account/second-factor", "/people"])
def test_a_token_opens_no_page(world: World, address: str) -> None:
    """Least of all the account: whoever finds a token must not make more of it."""
    client, token = world.app.test_client(), world.of("admin").token

    answer = client.get(address, headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == 302
    assert "/sign-in" in answer.headers["Location"]


def test_a_token_ends(each_world: World) -> None:
    """By the machine's clock; the shop's may be anywhere."""
    caller = with_token(each_world, "sales", days=7)
    each_world.clock.advance(days=30)
    each_world.wall_clock.advance(days=6, hours=23)
    assert caller.get("/orders").status_code == 200

    each_world.wall_clock.advance(hours=1)
    assert caller.get("/orders").status_code == 401


@pytest.mark.parametrize("days", [0, -1, 366])
def test_no_token_lasts_for_ever(world: World, days: int) -> None:
    """A year is the most."""
    with world.database.write() as session, pytest.raises(accounts.AccountError, match="1 to 365 days"):
        accounts.create_token(session, "sales", world.wall_clock.now(), days=days)


def test_a_token_is_made_shown_once_and_revoked_on_the_account_page(each_world: World) -> None:
    """With the password; the journal has its name and scopes, not itself."""
    who = visitor(each_world, "sales")
    wrong = sends(who, "/account/tokens", label="Scanner", scope=["read"], password="guess")
    assert wrong.status == 422
    assert wrong.value("label") == "Scanner"

    page = sends(who, "/account/tokens", label="Scanner", scope=["read", "tasks"], days="30")
    token = page.find("//*[contains(@class, 'secret')]")[0].text
    each_world.tokens["sales"] = token
    assert each_world.of("sales").get("/orders").status_code == 200
    again = who.goes("/account")
    assert token not in again.text
    assert "read, tasks" in again.text

    form = who.goes("/account").form("/revoke")
    action = next(form.action for form in again.tree.forms if form.action.endswith("/revoke"))
    assert "works no longer" in who.sends(action, form).text
    assert each_world.of("sales").get("/orders").status_code == 401
    assert kinds(each_world, "sales") == ["token_revoked", "token_created"]
    assert token not in str(each_world.engine.journal(subject="sales").items)


def test_nobody_revokes_the_token_of_another(world: World) -> None:
    """Its id alone is not enough."""
    theirs = with_token(world, "finance")
    with world.database.read() as session:
        [row] = accounts.tokens_of(session, "finance")
    who = visitor(world, "sales")

    who.sends(f"/account/tokens/{row.id}/revoke", who.goes("/account").form("/account/tokens"))

    assert theirs.get("/orders").status_code == 200


def test_when_a_token_was_used_last_is_written_rarely(each_world: World) -> None:
    """Not with every call."""
    caller = with_token(each_world, "sales")
    used = []
    for minutes in (0, 4, 2):
        each_world.wall_clock.advance(minutes=minutes)
        caller.get("/orders")
        with each_world.database.read() as session:
            used.append(accounts.tokens_of(session, "sales")[0].last_used_at)

    assert used[0] == used[1]
    assert used[2] == each_world.wall_clock.now()


def test_too_many_calls_of_one_token_are_429(world: World) -> None:
    """Another token is not kept waiting, and the next minute is free."""
    object.__setattr__(world.app.extensions[KEY], "api_calls", Rate(3))
    sales, finance = world.of("sales"), world.of("finance")
    assert [sales.get("/inventory").status_code for _ in range(4)] == [200, 200, 200, 429]

    stopped = sales.get("/inventory")
    assert kind_of(stopped) == "too-many"
    assert finance.get("/inventory").status_code == 200

    world.wall_clock.advance(seconds=int(stopped.headers["Retry-After"]))
    assert sales.get("/inventory").status_code == 200
