"""The picture of what changes: marks, ghosts of what is gone, and the other version at the same place."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import expect

from tests.browser.conftest import Open, Site
from tests.browser.test_look import waiting_version


def _opened(opened: Open, site: Site) -> Any:
    page = opened("analyst-2")
    page.goto(f"/processes/order_fulfillment/{waiting_version(site)}")
    page.wait_for_selector("figure.diagram[data-ready]")
    return page


def test_the_picture_marks_what_is_added_changed_and_gone(opened: Open, site: Site) -> None:
    """Added and changed on the new diagram; what was removed as a dashed ghost with its flow; one badge for each."""
    page = _opened(opened, site)
    now = page.locator("figure.diagram .canvas.now")

    expect(now.locator(".djs-element.added[data-element-id=gift_wrap]")).to_be_visible()
    expect(now.locator(".djs-element.changed[data-element-id=package_products]")).to_have_count(1)
    expect(now.locator(".djs-element.changed[data-element-id=recommend_courier]")).to_have_count(1)
    expect(now.locator(".ghost.djs-shape .djs-visual circle").first).to_be_attached()
    expect(now.locator(".ghost.djs-connection")).to_have_count(1)
    assert now.locator(".mark.m-added").count() == 2
    assert now.locator(".mark.m-removed").count() == 1
    legend = page.locator(".legend").first.inner_text()
    assert "added 5" in legend
    assert "removed 2" in legend
    stroke = "getComputedStyle(document.querySelector('.now .ghost .djs-visual > *')).strokeDasharray"
    assert page.evaluate(stroke) != "none"


def test_a_button_shows_the_version_before_at_the_same_place(opened: Open, site: Site) -> None:
    """By keyboard too; what lies behind takes neither keys nor clicks. The mark of bpmn.io stays to be seen."""
    page = _opened(opened, site)
    was, now = page.locator(".canvas.was"), page.locator(".canvas.now")
    assert was.get_attribute("inert") is not None

    button = page.get_by_role("button", name="Version 1")
    button.focus()
    page.keyboard.press("Enter")

    assert button.get_attribute("aria-pressed") == "true"
    assert was.get_attribute("inert") is None
    assert now.get_attribute("inert") is not None
    expect(was.locator("[data-element-id=gift_wrap]")).to_have_count(0)
    expect(was.locator(".djs-element.removed[data-element-id=pickup_late]")).to_have_count(1)
    same = """side => document.querySelector(side + ' .djs-element[data-element-id=package_products]')
        .getBoundingClientRect().left"""
    assert abs(page.evaluate(same, ".was") - page.evaluate(same, ".now")) < 2
    _mark_can_be_clicked(page, ".was")
    page.keyboard.press("Enter")
    _mark_can_be_clicked(page, ".now")


def _mark_can_be_clicked(page: Any, side: str) -> None:
    """Nothing lies over the mark."""
    page.locator(f"{side} .bjs-powered-by").scroll_into_view_if_needed()
    top = """side => { const mark = document.querySelector(side + ' .bjs-powered-by');
        const box = mark.getBoundingClientRect();
        return mark.contains(document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2)); }"""
    assert page.evaluate(top, side)


def test_a_name_in_the_table_shows_its_element(opened: Open, site: Site) -> None:
    """Wherever it stands on the diagram, also when it is gone."""
    page = _opened(opened, site)
    inside = """selector => { const figure = document.querySelector('figure.diagram').getBoundingClientRect();
        const box = document.querySelector(selector).getBoundingClientRect();
        return box.left >= figure.left && box.right <= figure.right && box.top >= figure.top
            && box.bottom <= figure.bottom; }"""
    corrected = ".now .djs-element[data-element-id=correct_details]"
    assert not page.evaluate(inside, corrected)

    page.get_by_role("link", name="Correct customer details").click()
    assert page.evaluate(inside, corrected)

    page.get_by_role("link", name="Not picked up in 1 day").click()
    assert page.evaluate(inside, ".now .ghost.djs-shape")
