"""The picture of what changes: marks, ghosts of what is gone, and the other version at the same place."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from engine.definitions import Bundle
from engine.views import Actor
from tests.browser.conftest import Open, Site
from tests.browser.test_look import waiting_version
from tests.gift_wrap import DIAGRAM, REASON, with_gift_wrap

_INSIDE = """selector => { const figure = document.querySelector('figure.diagram .canvas.now').getBoundingClientRect();
    const box = document.querySelector(selector).getBoundingClientRect();
    return box.left >= figure.left && box.right <= figure.right && box.top >= figure.top
        && box.bottom <= figure.bottom; }"""


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


def _version_with_a_long_flow_first(site: Site) -> int:
    """Gift wrap far away from packing, as the modeler writes it: the id of the long flow sorts before the tasks'."""
    engine = site.shop.engine
    files = with_gift_wrap(engine.bundle("order_fulfillment", 1).files)
    drawing = files[DIAGRAM].replace(b"package_products__create_label", b"Flow_1")
    for near, far in ((b'x="1862"', b'x="2962"'), (b'x="1972"', b'x="3072"')):
        drawing = drawing.replace(near, far)
    made = engine.propose(
        Bundle({**files, DIAGRAM: drawing}), Actor("analyst"), reason=REASON, base_version=1, key="order_fulfillment"
    )
    return next(version.version for version in made if version.key == "order_fulfillment")


@pytest.mark.parametrize("width", [1440, 390])
def test_the_picture_opens_at_what_changed(opened: Open, site: Site, width: int) -> None:
    """The added task is in sight, whichever flows lead to it and from it; no button lies over it."""
    page = opened("analyst-2", width=width)

    page.goto(f"/processes/order_fulfillment/{_version_with_a_long_flow_first(site)}")
    page.wait_for_selector("figure.diagram[data-ready]")

    task = ".now .djs-element[data-element-id=gift_wrap]"
    assert page.evaluate(_INSIDE, task)
    page.locator("figure.diagram").scroll_into_view_if_needed()
    covered = """selector => { const task = document.querySelector(selector).getBoundingClientRect();
        const bar = document.querySelector('figure.diagram .zoom').getBoundingClientRect();
        return task.left < bar.right && task.right > bar.left && task.top < bar.bottom && task.bottom > bar.top; }"""
    assert not page.evaluate(covered, task)


def test_a_long_flow_in_the_table_is_shown_where_it_begins(opened: Open, site: Site) -> None:
    """The middle of a bent flow may lie far from its line."""
    page = _opened(opened, site)

    page.get_by_role("link", name="Gift wrap → Create shipping label").click()

    assert page.evaluate(_INSIDE, ".now .djs-element[data-element-id=gift_wrap]")


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
    corrected = ".now .djs-element[data-element-id=correct_details]"
    assert not page.evaluate(_INSIDE, corrected)

    page.get_by_role("link", name="Correct customer details").click()
    assert page.evaluate(_INSIDE, corrected)

    page.get_by_role("link", name="Not picked up in 1 day", exact=True).click()
    assert page.evaluate(_INSIDE, ".now .ghost.djs-shape")
