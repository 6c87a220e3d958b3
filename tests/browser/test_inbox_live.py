"""The inbox while things happen around somebody: a second tab, no connection."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import expect

from tests.browser.conftest import Open, Site
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
