"""Takes the pictures of docs/for-analysts.md while the story of the browser test is played.

Run after a page of the analysts was changed; needs Chromium and the built page assets:

    .venv/bin/python -m tests.browser.guide_pictures

They are PNG files of 1280 × 800 points, light, at single size: 100 to 200 KB each.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import expect, sync_playwright

from tests.browser import test_gift_wrap as story
from tests.browser.conftest import CHROMIUM, QUIET, ROOT, Served, served
from tests.browser.modeling import PATIENCE, Canvas

IMAGES = ROOT / "docs" / "images"
WAITING = 40
"""Live orders beside those of the story, so that the tables show more than two."""
MOVED = 14
"""So many of them have moved when the picture is taken."""


def main() -> None:
    with ExitStack() as stack:
        site = stack.enter_context(served(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
        told = story.Story(site, stack.enter_context(_pages(site)), *story.orders_under_way(site.shop))
        _live_orders(site)
        _play(told)


@contextmanager
def _pages(site: Served) -> Iterator[Any]:
    """`open(name)`: a page of a person who is signed in, of the size of the pictures."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, chromium_sandbox=False, args=list(QUIET))

        def open_page(name: str) -> Any:
            page = browser.new_context(
                base_url=site.address, viewport={"width": 1280, "height": 800}, color_scheme="light",
                reduced_motion="reduce",
            ).new_page()  # fmt: skip
            page.set_default_timeout(PATIENCE)
            page.goto("/sign-in")
            page.fill("#name", name)
            page.fill("#password", "demo")
            page.click("form button.primary")
            page.wait_for_url("**/inbox")
            return page

        yield open_page
        browser.close()


def _live_orders(site: Served) -> None:
    """Orders at many places of the process."""
    places = ("approve_reservation", "approve_payment", "prepare_shipment", "package_products", "confirm_pickup")
    for number in range(WAITING):
        site.shop.places_order(name=f"Customer {number + 1}").goes_to(places[number % len(places)])


def _play(told: story.Story) -> None:
    canvas = story.a_copy_is_opened_in_the_modeler(told)
    story.a_step_is_added_and_its_problem_seen(canvas)
    _shown(canvas)
    _take(canvas.page, "analyst-modeler")
    story.a_form_is_made_for_it(canvas, when_seen=lambda page: _take(page, "analyst-form"))
    story.the_problems_are_mended(canvas)
    story.consent_is_asked_for(canvas)
    story.the_second_analyst_sees_what_changes(told)
    page = told.who("analyst-2")
    page.get_by_role("link", name="Gift wrap").first.click()
    _take(page, "analyst-version")
    story.and_deploys(told)
    story.they_begin_to_move(told)
    told.site.shop.engine.work(limit=MOVED)
    page.reload()  # the bar stands still then
    expect(page.locator("#moves [role=status]")).to_contain_text(f"{MOVED} of")
    _take(page, "analyst-moves")


def _shown(canvas: Canvas) -> None:
    """The new step in the middle of the canvas, with its panel."""
    canvas.page.locator("#problems a", has_text="Gift wrap").first.click()


def _take(page: Any, name: str) -> None:
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")
    page.screenshot(path=IMAGES / f"{name}.png", animations="disabled")


if __name__ == "__main__":
    main()
