"""An analyst lets Waybill mend what follows from the diagram, and says what only a person can know."""

from __future__ import annotations

import re

from lxml import etree
from playwright.sync_api import Route, expect

from tests.browser.conftest import Open, Site
from tests.browser.modeling import ORDER, PATIENCE, Canvas, drafted
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
        row.get_by_role("button", name="Give it to warehouse").click()

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
            page.locator("#problems tr", has_text="No team does it.").get_by_role("button").click()

        page.keyboard.press("Control+z")
        page.wait_for_timeout(300)  # what changes on the canvas is taken up after 200 ms
        held[0].continue_()

        expect(page.locator("#problems tr", has_text="No team does it.")).to_have_count(0)
        page.wait_for_timeout(1_500)
        assert canvas.properties("gift_wrap")["team"] == "warehouse"
        canvas.finds("Gift wrap")


def test_a_mending_is_undone_with_all_that_it_made(opened: Open, site: Site) -> None:
    """A fix that also makes a form: the notice says what was mended, and its Undo brings back every file."""
    with drafted(site) as draft:
        canvas = Canvas(opened("analyst"), site, draft).opens()
        page = canvas.page
        canvas.finds("Package ordered products")
        canvas.adds("user", "Gift wrap")
        canvas.problems()
        before = canvas.is_saved().files
        page.locator("#problems tr", has_text="It has no form.").get_by_role("button").click()
        told = page.locator("#told .notice", has_text="Mended")
        expect(told).to_contain_text("form")
        assert "forms/gift_wrap.json" in canvas.is_saved().files

        told.get_by_role("button", name="Undo").click()

        expect(page.locator("#problems tr", has_text="It has no form.")).to_be_visible()
        assert canvas.is_saved().files == before
        expect(told).to_have_count(0)


def test_which_of_two_flows_is_meant_is_asked(opened: Open, site: Site) -> None:
    """Nothing in the diagram says whether both ways are gone: one of them may be left over."""
    with drafted(site) as draft:
        canvas = Canvas(opened("analyst"), site, draft).opens()
        page = canvas.page
        canvas.finds("Package ordered products")
        canvas.adds("user", "Gift wrap")
        canvas.problems()
        row = page.locator("#problems tr", has_text="2 flows leave it.")
        expect(row.get_by_role("button")).to_have_count(0)

        row.get_by_role("combobox").select_option("Remove the flow to Create shipping label")
        row.get_by_role("button", name="Do it", exact=True).click()

        expect(row).to_have_count(0)
        expect(page.locator("#told")).to_contain_text("Remove the flow to Create shipping label")
        assert canvas.saved_element("package_products__create_label") is None
        assert [each.text for each in canvas.saved_element("create_label").iterfind("{*}incoming")] == []


def test_ones_own_mending_is_no_news(opened: Open, site: Site) -> None:
    """A look at the server that is answered before the mending is: nobody else has changed anything."""
    held: list[Route] = []
    with drafted(site) as draft:
        canvas = Canvas(opened("analyst"), site, draft).opens()
        page = canvas.page
        canvas.finds("Package ordered products")
        canvas.adds("user", "Gift wrap")
        canvas.problems()
        canvas.is_saved()
        page.route("**/mend", lambda route: held.append(route))  # noqa: PLW0108 - it takes no built-in function
        with page.expect_request("**/mend"):
            page.locator("#problems tr", has_text="No team does it.").get_by_role("button").click()
        answer = held[0].fetch()  # mended, but the page does not know yet
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        page.wait_for_timeout(500)
        held[0].fulfill(response=answer)

        expect(page.locator("#told")).to_contain_text("Mended")
        expect(page.locator("#notices")).to_be_empty()


def test_an_added_step_is_put_between_the_two_it_stands_beside(opened: Open, site: Site) -> None:
    """Added after a step that leads on already, it is woven in by one choice, also in the picture."""
    with drafted(site) as draft:
        canvas = Canvas(opened("analyst"), site, draft).opens()
        canvas.finds("Package ordered products")
        canvas.adds("user", "Gift wrap")
        canvas.problems()
        row = canvas.page.locator("#problems tr", has_text="Nothing follows it.")

        words = "Put it between Package ordered products and Create shipping label"
        row.get_by_role("combobox").select_option(label=words)
        row.get_by_role("button", name="Do it").click()

        expect(row).to_have_count(0)
        expect(canvas.page.locator("#problems tr", has_text="2 flows leave it.")).to_have_count(0)
        flows = etree.fromstring(canvas.is_saved().files[ORDER]).iter("{*}sequenceFlow")
        ends = [(flow.get("sourceRef"), flow.get("targetRef")) for flow in flows]
        assert [b for a, b in ends if a == "package_products"] == ["gift_wrap"]
        assert [b for a, b in ends if a == "gift_wrap"] == ["create_label"]


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
        missing = int(problems.get_by_role("heading").inner_text().split()[0])
        clear = problems.get_by_role("button", name=re.compile("that are clear"))
        assert int(re.findall(r"\d+", clear.inner_text())[0]) <= missing  # no more than are said to be missing

        problems.get_by_role("button", name=re.compile("that are clear|that is clear")).click()
        expect(problems.get_by_role("status")).to_have_text(re.compile(r"^\d+ mended(?! …)"), timeout=2 * PATIENCE)
        lacking = page.get_by_role("table", name="What is missing").get_by_role("combobox")
        while lacking.count():
            lacking.first.select_option(index=1)
            with page.expect_response(lambda answer: answer.url.endswith("/mend") and answer.ok):
                problems.get_by_role("button", name="Do it", exact=True).click()
            page.wait_for_function("!document.querySelector('#problems button:disabled')")

        expect(problems.get_by_role("heading")).to_contain_text("It can run")
        problems.get_by_role("button", name="All problems").click()
        expect(page.locator("#problems .state.bad")).to_have_count(0)
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

    asked: list[str] = []
    page.on("dialog", lambda dialog: asked.append(dialog.message))
    told.get_by_role("button", name="I have taken it over").click()

    expect(page.locator(".bar .tag")).to_have_text("draft of version 2")
    expect(told).to_have_count(0)
    assert "What version 2 changed and this draft does not hold is undone" in asked[0]
    assert engine.draft(draft.id).base_version == 2
    engine.discard_draft(draft.id, ADMIN)
