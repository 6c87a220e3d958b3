"""An analyst lets Waybill mend what follows from the diagram, and says what only a person can know."""

from __future__ import annotations

import re

from playwright.sync_api import Route, expect

from tests.browser.conftest import Open, Site
from tests.browser.modeling import PATIENCE, Canvas, drafted
from tests.foreign.diagrams import DIAGRAMS
from tests.looking import ADMIN, bundle


def test_a_problem_with_one_way_out_is_mended_by_a_click(opened: Open, site: Site) -> None:
    """The diagram is as it was but for the mending, and the draft is saved."""
    with drafted(site) as draft:
        canvas = Canvas(opened("analyst"), site, draft).opens()
        canvas.finds("Package ordered products")
        canvas.adds("user", "Gift wrap")
        assert "No team does it." in canvas.problems()

        row = canvas.page.locator("#problems tr", has_text="No team does it.")
        row.get_by_role("button", name="Mend it").click()

        expect(row).to_have_count(0)
        assert canvas.properties("gift_wrap")["team"] == "warehouse"
        canvas.finds("Gift wrap")
        expect(canvas.page.locator("#p-team")).to_have_value("warehouse")


def test_nothing_is_changed_while_something_is_mended(opened: Open, site: Site) -> None:
    """The server changes the same file: a change of our own would overwrite the mending, or be lost with it."""
    held: list[Route] = []
    with drafted(site) as draft:
        canvas = Canvas(opened("analyst"), site, draft).opens()
        page = canvas.page
        canvas.finds("Package ordered products")
        canvas.adds("user", "Gift wrap")
        canvas.problems()
        page.route("**/mend", lambda route: held.append(route))  # noqa: PLW0108 - it takes no built-in function
        with page.expect_request("**/mend"):
            page.locator("#problems tr", has_text="No team does it.").get_by_role("button", name="Mend it").click()

        page.keyboard.press("Control+z")
        page.wait_for_timeout(300)  # what changes on the canvas is taken up after 200 ms
        held[0].continue_()

        expect(page.locator("#problems tr", has_text="No team does it.")).to_have_count(0)
        page.wait_for_timeout(1_500)
        assert canvas.properties("gift_wrap")["team"] == "warehouse"
        canvas.finds("Gift wrap")


def test_a_diagram_of_another_tool_is_made_executable(opened: Open, site: Site) -> None:
    """What is clear is mended at once; the rest is chosen element by element, until consent can be asked for."""
    [foreign] = [each for each in DIAGRAMS if each.name == "an invoice"]
    with drafted(site, files=foreign.build()) as draft:
        canvas = Canvas(opened("analyst"), site, draft).opens()
        page = canvas.page
        problems = page.locator("#problems")
        canvas.problems()
        problems.get_by_role("button", name="Make it executable").click()
        expect(problems.get_by_role("heading")).to_contain_text("missing until it runs")

        problems.get_by_role("button", name=re.compile("that are clear|that is clear")).click()
        expect(problems.get_by_role("status")).to_have_text(re.compile(r"^\d+ mended$"), timeout=2 * PATIENCE)
        lacking = page.get_by_role("table", name="What is missing").get_by_role("combobox")
        while lacking.count():
            lacking.first.select_option(index=1)
            with page.expect_response(lambda answer: answer.url.endswith("/mend") and answer.ok):
                problems.get_by_role("button", name="Do it").click()
            page.wait_for_function("!document.querySelector('#problems button:disabled')")

        expect(problems.get_by_role("heading")).to_contain_text("It can run")
        problems.get_by_role("button", name="All problems").click()
        assert not page.locator("#problems .state.bad").count()
        assert not [one for one in site.shop.engine.check_draft(draft.id) if one.severity == "error"]


def test_a_draft_on_an_older_version_is_brought_to_the_newest(opened: Open, site: Site) -> None:
    """The analyst says that the other's change is taken over; before, consent cannot be asked for."""
    engine = site.shop.engine
    engine.deploy(bundle("Look"), ADMIN, origin="upload", reason="First.")
    draft = engine.open_draft(ADMIN, key="looking", base_version=1)
    engine.deploy(bundle("Look closely"), ADMIN, origin="upload", reason="Second.", base_version=1)
    page = Canvas(opened("analyst"), site, draft).opens().page
    told = page.locator(".notice", has_text="Version 2 is newer than what this draft builds on")
    expect(told.get_by_role("link")).to_have_attribute("href", "/processes/looking/2")

    told.get_by_role("button", name="I have taken it over").click()

    expect(page.locator(".bar .tag")).to_have_text("draft of version 2")
    expect(told).to_have_count(0)
    assert engine.draft(draft.id).base_version == 2
    engine.discard_draft(draft.id, ADMIN)
