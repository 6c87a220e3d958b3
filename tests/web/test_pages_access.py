"""Who gets in, who may do what, and what the browser is told about safety."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from handlers.contract import WaybillError
from tests.web.api_world import World
from tests.web.visitor import Visitor, visitor
from web.auth import safe_next
from web.permissions import routes_without_permission

PEOPLE = (
    "sales",
    "warehouse",
    "finance",
    "shipping",
    "stock-approver",
    "payment-approver",
    "analyst",
    "owner",
    "admin",
)


def test_every_route_names_its_permission(world: World) -> None:
    """A page or call that nobody thought about the permission of does not exist."""
    assert routes_without_permission(world.app) == []


def test_a_stranger_is_led_to_the_sign_in_and_back(world: World) -> None:
    """Whoever is not signed in sees nothing but the sign-in, and then the page they asked for."""
    stranger = Visitor(world.app)

    for address in ("/", "/inbox", "/orders", "/board", "/incidents", "/stock", "/mails", "/processes", "/people"):
        assert stranger.goes(address).heading == "Sign in", address

    sent = {**stranger.goes("/stock").form(), "name": "owner", "password": "demo"}
    assert stranger.sends("/sign-in", sent).heading == "Stock"


def test_a_wrong_password_and_an_unknown_name_look_the_same(world: World) -> None:
    """Nobody learns by trying which names exist."""
    known = Visitor(world.app).signs_in("sales", "wrong")
    unknown = Visitor(world.app).signs_in("nobody", "wrong")

    assert known.status == unknown.status == 422
    assert "Name and password do not match" in known.text
    assert known.text == unknown.text


def test_guessing_a_password_is_stopped(world: World) -> None:
    """After ten wrong passwords the name waits, also with the right one; another name does not."""
    guesser = Visitor(world.app)
    for _ in range(10):
        assert guesser.signs_in("finance", "wrong").status == 422

    refused = guesser.signs_in("finance")

    assert refused.status == 429
    assert "Too many tries" in refused.text
    assert Visitor(world.app).signs_in("shipping").heading == "Inbox"


def test_guessing_elsewhere_locks_nobody_out(world: World) -> None:
    """Wrong passwords are counted per name and address: whoever guesses keeps only the own address out."""
    guesser = Visitor(world.app)
    form = {**guesser.goes("/sign-in").form(), "name": "sales", "password": "wrong"}
    for _ in range(11):
        answer = guesser.sends("/sign-in", form)
    assert answer.status == 429

    owner = Visitor(world.app)
    owner.client.environ_base["REMOTE_ADDR"] = "192.0.2.7"

    assert owner.signs_in("sales").heading == "Inbox"


def test_signing_in_starts_a_new_session(world: World) -> None:
    """A session that somebody planted before the sign-in is worth nothing after it."""
    who = Visitor(world.app)
    who.goes("/sign-in")
    with who.client.session_transaction() as before:
        before["planted"] = "yes"

    who.signs_in("sales")

    with who.client.session_transaction() as after:
        assert "planted" not in after


def test_signing_out_ends_the_session(world: World) -> None:
    """After signing out the pages are closed again."""
    who = visitor(world, "sales")

    page = who.sends("/sign-out", who.goes("/inbox").form("/sign-out"))

    assert page.heading == "Sign in"
    assert who.goes("/orders").heading == "Sign in"


def test_a_copied_cookie_is_refused_after_signing_out(world: World) -> None:
    """Signing out ends the session itself, not only the browser's cookie; another session of the person goes on."""
    who, elsewhere, thief = visitor(world, "sales"), visitor(world, "sales"), Visitor(world.app)
    cookie = who.client.get_cookie("waybill")
    assert cookie is not None
    thief.client.set_cookie("waybill", cookie.value)
    assert thief.goes("/inbox").heading == "Inbox"

    who.sends("/sign-out", who.goes("/inbox").form("/sign-out"))

    assert thief.goes("/inbox").heading == "Sign in"
    assert thief.client.get("/api/v1/orders").status_code == 401
    assert elsewhere.goes("/inbox").heading == "Inbox"


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "evil",
        "",
        "/a\r\nSet-Cookie: x",
    ],
)
def test_nobody_is_sent_elsewhere_after_signing_in(target: str) -> None:
    """Only a path on this server is followed."""
    assert safe_next(target) is None


def test_a_path_of_this_server_is_followed() -> None:
    """With its query."""
    assert safe_next("/orders?q=a") == "/orders?q=a"


def test_a_form_without_its_token_does_nothing(world: World) -> None:
    """A foreign page cannot make a signed-in person do something."""
    who = visitor(world, "sales")

    page = who.sends("/orders", {})

    assert page.status == 400
    assert world.engine.instances("order_fulfillment").items == ()


def test_scripts_come_from_this_server_alone(world: World) -> None:
    """No inline script or style, no frame of others, nothing kept by caches."""
    who = visitor(world, "sales")

    answer = who.goes("/inbox").answer

    policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe-inline" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    page = who.goes("/inbox")
    assert not page.find("//script[not(@src)]")
    assert not page.find("//@style | //@onclick")


def test_the_session_cookie_is_closed_to_scripts(world: World) -> None:
    """And only sent over https where the site is reached by it."""
    answer = Visitor(world.app).goes("/sign-in").answer

    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" in cookie  # the test's public address is https


def test_only_the_house_sees_who_there_is(world: World) -> None:
    """Owner and administrator read the list of people; others are told that they may not."""
    assert "Anna Lindqvist" in visitor(world, "owner").goes("/people").text

    refused = visitor(world, "warehouse").goes("/people")

    assert refused.status == 403
    assert refused.heading == "You may not do this"


def test_what_is_not_there_is_said_in_a_page(world: World) -> None:
    """In the look of the rest, with a way on."""
    page = visitor(world, "sales").goes("/orders/WB-99999")

    assert page.status == 404
    assert page.heading == "There is nothing here"
    assert "/inbox" in page.links()


@pytest.mark.parametrize("asked", ["/stock", "/api/v1/inventory"])
def test_a_failure_that_was_noted_stands_in_the_log(
    world: World, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also an error of Waybill's own that no answer is foreseen for; with where it came from."""
    owner = visitor(world, "owner")

    def fails(*_: object, **__: object) -> None:
        raise WaybillError("The shelf has gone.")

    monkeypatch.setattr("web.queries.stock", fails)
    with capture_logs() as logged:
        page = owner.goes(asked)

    assert page.status == 500
    (line,) = [line for line in logged if line["log_level"] == "error"]
    assert str(line["exc_info"]) == "The shelf has gone."


@pytest.mark.parametrize("name", PEOPLE)
def test_every_page_of_the_menu_works_for(world: World, name: str) -> None:
    """Each demo user can click through the menu."""
    world.place()
    world.work()
    who = visitor(world, name)
    menu = who.goes("/inbox").find("//nav[@aria-label='Main']//a/@href")

    for address in [*menu, "/more"]:
        page = who.goes(str(address))
        assert page.status == 200, (address, page.text[:200])
        assert "Demo. Nothing is really shipped or charged." in page.text
