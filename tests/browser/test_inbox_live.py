"""The inbox while things happen around somebody: new work, a second tab, no connection."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import expect
from sqlalchemy import func, select

from engine.store.tables import Task
from engine.views import Actor
from tests.browser.conftest import Open, Site, polled
from tests.scenarios.shop import PEOPLE, OrderHandle

PHONE = "[name='/phone']"


def doubted(site: Site, name: str) -> OrderHandle:
    """An order that waits for sales to correct its details."""
    return site.shop.places_order(name=name, phone="12")


def two_tabs(opened: Open, site: Site, name: str) -> tuple[OrderHandle, Any]:
    """The second typed "there" after the first had loaded the same form; the first then types "here"."""
    order = doubted(site, name)
    task = site.task(order.number)
    here = opened("sales")
    here.goto(task)
    there = here.context.new_page()
    there.goto(task)
    there.fill(PHONE, "there")
    expect(there.locator("#saved")).to_contain_text("Draft saved")
    here.fill(PHONE, "here")
    expect(here.get_by_role("alert")).to_contain_text("Another window saved this at")
    return order, here


def test_what_is_here_can_be_kept(opened: Open, site: Site) -> None:
    """Nothing is saved over the other tab before somebody has chosen; then it is."""
    order, here = two_tabs(opened, site, "Kept Here")
    assert order.detail("correct_details", PEOPLE["sales"]).draft["phone"] == "there"

    here.get_by_role("button", name="Keep what is here").click()

    expect(here.locator("#saved")).to_contain_text("Draft saved")
    assert order.detail("correct_details", PEOPLE["sales"]).draft["phone"] == "here"


def test_the_other_can_be_shown_and_what_was_typed_put_back(opened: Open, site: Site) -> None:
    """Both ways; neither text is lost by looking at the other."""
    _, here = two_tabs(opened, site, "Other Shown")

    here.get_by_role("button", name="Show the other").click()
    expect(here.locator(PHONE)).to_have_value("there")
    here.get_by_role("button", name="Put back what I typed").click()

    expect(here.locator("#saved")).to_contain_text("Draft saved")
    expect(here.locator(PHONE)).to_have_value("here")


def test_what_is_typed_without_a_connection_is_saved_when_it_is_back(opened: Open, site: Site) -> None:
    """The page says so meanwhile."""
    order = doubted(site, "Offline Typed")
    page = opened("sales")
    page.goto(site.task(order.number))
    page.context.set_offline(True)
    page.fill(PHONE, "+49 30 77")
    expect(page.locator("#saved")).to_contain_text("Not saved – no connection. It is kept in this browser")

    page.context.set_offline(False)

    expect(page.locator("#saved")).to_contain_text("Draft saved")
    assert order.detail("correct_details", PEOPLE["sales"]).draft["phone"] == "+49 30 77"


def test_r_releases_and_the_draft_stays(opened: Open, site: Site) -> None:
    """Typing claims; Esc leaves the field, and r then gives the task back to the team."""
    order = doubted(site, "Given Back")
    page = opened("sales")
    page.goto(site.task(order.number))
    page.fill(PHONE, "+49 30 78")
    expect(page.locator(".claim")).to_contain_text("Yours since")

    page.keyboard.press("Escape")
    page.keyboard.press("r")

    expect(page.locator(".claim")).to_contain_text("Nobody has it yet")
    expect(page.locator(PHONE)).to_have_value("+49 30 78")
    assert order.task("correct_details").assignee is None


# --- the list brings itself up to date --------------------------------------------------------------------------------

LOOKS = """row => ({
  top: row.getBoundingClientRect().top,
  focused: row.contains(document.activeElement),
  ticked: row.querySelector('input').checked,
})"""
"""Where a row stands, and what somebody has done with it."""
LOW = {"width": 1440, "height": 560}
"""A window that shows few rows of the list."""


def row(page: Any, site: Site, order: OrderHandle) -> Any:
    return page.locator(f"#row-{site.task(order.number)[7:]}")


def soonest(site: Site, *orders: OrderHandle) -> None:
    """Puts the orders' tasks in front of everything that waits."""
    with site.shop.parts.database.write() as session:
        first = session.scalar(select(func.min(Task.due_at)).where(Task.state == "open"))
        for order in orders:
            session.get_one(Task, order.task("correct_details").id).due_at = first - timedelta(minutes=1)


def asks_again(page: Any) -> None:
    """The page's own clock comes to the moment of its next look at the server."""
    with page.expect_response("**/inbox/list?*") as answered:
        page.clock.fast_forward(11_000)
    assert answered.value.ok


def test_new_work_comes_and_everything_stays_where_it_is(opened: Open, site: Site) -> None:
    """The row under the eye does not move, the focus and the tick stay; what is new is counted until somebody looks."""
    orders = [doubted(site, f"Waits {number}") for number in range(12)]
    page = opened("sales")
    page.set_viewport_size(LOW)
    page.clock.install()
    page.goto("/inbox")
    seen = row(page, site, orders[6])
    seen.get_by_role("checkbox").check()
    seen.get_by_role("link").focus()
    page.locator("#task-list").evaluate("list => { list.scrollTop += 3 }")  # no row stands at an edge by chance
    before = seen.evaluate(LOOKS)
    assert (before["focused"], before["ticked"]) == (True, True)
    assert page.evaluate("document.getElementById('task-list').scrollTop + scrollY") > 0

    new = [doubted(site, f"Came {number}") for number in range(2)]
    soonest(site, *new)
    asks_again(page)

    expect(page.locator("#fresh")).to_have_text("2 new")
    first = page.locator("#task-list li").evaluate_all("rows => rows.slice(0, 2).map(row => row.id)")
    assert set(first) == {f"row-{site.task(order.number)[7:]}" for order in new}
    assert seen.evaluate(LOOKS) == {**before, "top": pytest.approx(before["top"], abs=1.5)}  # it scrolls whole pixels
    expect(page.locator("[data-picked]")).to_have_text("1 selected")
    asks_again(page)
    expect(page.locator("#fresh")).to_have_text("2 new")
    page.locator(".inbox header").click(position={"x": 2, "y": 2})
    expect(page.locator("#fresh")).to_have_text("")


def test_work_that_is_no_more_goes_and_the_focus_to_what_follows(opened: Open, site: Site) -> None:
    """Its tick goes with it, those of the others stay."""
    gone, stays = doubted(site, "Changed Her Mind"), doubted(site, "Still Waits")
    soonest(site, stays)
    soonest(site, gone)
    page = opened("sales")
    page.clock.install()
    page.goto("/inbox")
    for order in (stays, gone):
        row(page, site, order).get_by_role("checkbox").check()
    row(page, site, gone).get_by_role("link").focus()
    was = row(page, site, gone)
    gone.is_cancelled()

    asks_again(page)

    expect(was).to_have_count(0)
    expect(row(page, site, stays).get_by_role("link")).to_be_focused()
    expect(row(page, site, stays).get_by_role("checkbox")).to_be_checked()
    expect(page.locator("[data-picked]")).to_have_text("1 selected")


def test_a_session_that_ended_elsewhere_is_said_once(opened: Open, site: Site) -> None:
    """The open page leads to the sign-in and back to itself, and asks for no news any more."""
    order = doubted(site, "Signed Out")
    page = opened("sales")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/inbox/list" in request.url else None)
    with polled(page):
        page.goto(site.task(order.number))
        page.context.clear_cookies()
    notice = page.locator("[data-signed-out]")
    expect(notice).to_contain_text("You are signed out.")
    expect(notice.get_by_role("link")).to_have_attribute("href", re.compile(r"^/sign-in\?next=%2Ftasks%2F"))

    page.clock.fast_forward(60_000)

    expect(notice).to_have_count(1)
    assert len(asked) == 1


def test_a_colleagues_task_looks_as_it_is(opened: Open, site: Site) -> None:
    """Its fields look locked and its rows have no buttons; a long name leaves the order's number in the list whole."""
    order = site.shop.places_order(name="Held Elsewhere").goes_to("package_products")
    colleague = Actor("Maximiliane-Konstantina von Hohenfels zu Lichtenstein", frozenset({"warehouse"}))
    site.shop.engine.claim(order.task("package_products").id, colleague)
    page = opened("warehouse")
    page.goto(site.task(order.number))

    expect(page.locator("input[name='/contents/0/quantity']")).to_have_css("cursor", "not-allowed")
    expect(page.get_by_role("button", name="Add a parcel")).to_be_hidden()
    cut = page.locator("li.here .who").evaluate("""who => {
        const number = document.createRange();
        number.selectNodeContents(who.firstChild);
        const right = who.nextElementSibling.getBoundingClientRect().left;
        return number.getBoundingClientRect().right > right || who.scrollWidth > who.clientWidth;
    }""")
    assert not cut


def test_a_task_that_was_taken_over_says_so_on_the_open_page(opened: Open, site: Site) -> None:
    """Before anything more is typed in vain; and once, however often the page looks."""
    order = doubted(site, "Taken Away")
    page = opened("sales")
    with polled(page):
        page.goto(site.task(order.number))
        page.get_by_role("button", name="Claim").click()
        expect(page.locator(".claim")).to_contain_text("Yours since")
        colleague = Actor("nadia", frozenset({"sales"}))
        site.shop.engine.take_over(order.task("correct_details").id, colleague, "You are at lunch.")

    expect(page.locator("[data-taken-over]")).to_have_text("nadia has taken this over: “You are at lunch.”")
    doubted(site, "Comes Later")
    asks_again(page)
    expect(page.locator("[data-taken-over]")).to_have_count(1)
