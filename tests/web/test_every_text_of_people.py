"""The pages of accounts, people and rights in a language in which every text is wrapped; see `every_text.py`."""

from __future__ import annotations

from datetime import timedelta

from engine import SYSTEM
from tests.web.api_world import World
from tests.web.every_text import names, unmarked
from tests.web.second_factor import Phone, with_second_factor
from tests.web.test_account import NEW, sends
from tests.web.test_pages_delegations import gives
from tests.web.test_people import adds, saves
from tests.web.visitor import Page, Visitor, visitor
from web.accounts.administration import Administration

TYPED = {"Nora Vik", "Night shift", "Cardiff", "Holiday.", "read"}


def left(world: World, seen: dict[str, Page]) -> dict[str, list[str]]:
    """Page → what it says in English alone, of those that do."""
    company = names(world) | TYPED
    return {said: found for said, page in seen.items() if (found := unmarked(page.tree, company))}


def test_every_text_of_peoples_pages_is_in_the_catalogue(world: World, wrapped: None) -> None:
    """People, teams and the journal, with what may be wrong."""
    admin, seen = visitor(world, "admin"), dict[str, Page]()
    seen["nobody"] = admin.goes("/people?q=zzz")
    seen["no address"] = adds(admin, email="")
    seen["no name"] = adds(admin, display_name="")
    seen["no team"] = adds(admin, teams=[])
    seen["added"] = adds(admin)
    seen["taken"] = adds(admin)
    seen["locked"] = saves(admin, "nora", active=[None])
    seen["myself"] = saves(admin, "admin", teams=["sales"])
    office = admin.goes("/people/sales").form("/away")
    seen["back too soon"] = admin.sends("/people/sales/away", {**office, "do": "away", "until": "2026-11-01"})
    planned = {**office, "do": "away", "since": "2026-12-01", "until": "2026-12-04", "stand_in": "warehouse"}
    seen["planned"] = admin.sends("/people/sales/away", planned)
    seen["away"] = admin.sends("/people/finance/away", {**office, "do": "away", "keep": "true"})
    with_second_factor(world, "warehouse")
    factor = admin.goes("/people/warehouse")
    seen["factor"] = admin.sends("/people/warehouse/second-factor", factor.form("/second-factor"))
    seen["signed out"] = admin.sends("/people/warehouse/sign-out", factor.form("/sign-out"))
    seen["people"] = admin.goes("/people")
    team = {**admin.goes("/people/teams").form("/people/teams"), "title": "Night shift"}
    seen["no key"] = admin.sends("/people/teams", {**team, "key": "?"})
    seen["team added"] = admin.sends("/people/teams", {**team, "key": "night"})
    seen["same title"] = admin.sends("/people/teams", {**team, "key": "night-2"})
    seen["team"] = admin.goes("/people/teams/night")
    seen["shipped team"] = admin.goes("/people/teams/sales")
    gives(world, visitor(world, "stock-approver"))
    with world.engine.transaction() as session:
        Administration(world.engine, session, SYSTEM).away("sales", None, None, None, keep_tasks=True)
    seen["journal"] = admin.goes("/journal")
    seen["no lines"] = admin.goes("/journal?person=zzz")

    assert left(world, seen) == {}


def test_every_text_of_signing_in_is_in_the_catalogue(world: World, wrapped: None) -> None:
    """My account and its second factor, the sign-in and its second step, links from mails."""
    who, seen = visitor(world, "sales"), dict[str, Page]()
    visitor(world, "sales")
    seen["account"] = who.goes("/account")
    seen["two passwords"] = sends(who, "/account/password", new_password=NEW, new_password_again="other")
    seen["no password"] = sends(who, "/account/password", new_password=NEW, new_password_again=NEW, password="")
    seen["changed"] = sends(who, "/account/password", new_password="demo", new_password_again="demo")
    seen["token without scope"] = sends(who, "/account/tokens", label="Cardiff", days="30")
    seen["token"] = sends(who, "/account/tokens", label="Cardiff", days="30", scope=["read"])
    seen["set up"] = who.goes("/account/second-factor")
    seen["wrong code"] = who.sends("/account/second-factor", seen["set up"].form(), code="0", password="demo")
    [key] = seen["set up"].find("//span[contains(@class, 'secret')]")
    code = Phone(world, "".join(sign for sign in key.text_content() if sign.isascii() and sign.isalnum())).code()
    seen["codes"] = who.sends("/account/second-factor", seen["set up"].form(), code=code, password="demo")
    seen["with a factor"] = who.goes("/account")
    stranger = Visitor(world.app)
    seen["second step"] = stranger.signs_in("sales")
    seen["no code"] = stranger.sends("/sign-in/code", seen["second step"].form(), code="")
    seen["used code"] = stranger.sends("/sign-in/code", seen["second step"].form(), code=code)
    seen["sign in"] = stranger.goes("/sign-in?next=/orders")
    seen["wrong password"] = Visitor(world.app).signs_in("sales", "wrong")
    seen["forgotten"] = stranger.goes("/forgot")
    seen["asked"] = stranger.sends("/forgot", seen["forgotten"].form(), name="nobody")
    seen["no link"] = stranger.goes("/reset/none")
    with world.engine.transaction() as session:
        office = Administration(world.engine, session, SYSTEM, world.wall_clock)
        office.change("finance", email="priya@example.com")
        links = {"welcome": office.link("finance", "invitation")}
    seen["welcome"] = stranger.goes(f"/welcome/{links['welcome']}")
    seen["not the same"] = stranger.sends(
        f"/welcome/{links['welcome']}", seen["welcome"].form(), password="demo", again="other"
    )
    seen["set"] = stranger.sends(f"/welcome/{links['welcome']}", seen["welcome"].form(), password="demo", again="demo")
    world.wall_clock.advance(seconds=timedelta(days=1).total_seconds())
    seen["signed out"] = who.goes("/account")

    assert left(world, seen) == {}
