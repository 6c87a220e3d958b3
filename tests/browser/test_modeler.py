"""An analyst at the modeler: adds a step, mends what the check finds, asks for consent; and nothing gets lost."""

from __future__ import annotations

import itertools
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from playwright.sync_api import Route, expect

from engine import Bundle
from tests.browser.conftest import AXE, Open, Site
from tests.browser.modeling import ANALYST, ORDER, PATIENCE, SECOND, Canvas, drafted, meaning
from tests.looking import bundle

FOREIGN = (Path(__file__).parent / "rich.bpmn").read_bytes()


def test_a_step_is_added_its_problems_mended_and_consent_asked(opened: Open, site: Site) -> None:
    """The list below, the mark on the canvas and the word beside the field say the same; errors block the asking."""
    with drafted(site) as draft:
        canvas = Canvas(opened("analyst"), site, draft).opens()
        page = canvas.page
        canvas.finds("Package ordered products")
        canvas.adds("user", "Gift wrap")
        assert "No team does it." in canvas.problems()
        expect(page.locator('.djs-overlays[data-container-id="gift_wrap"] .finding')).to_be_visible()
        expect(page.locator("#p-team-problem")).to_have_text("No team does it.")

        page.get_by_role("button", name="Ask for consent").click()
        dialog = page.get_by_role("dialog", name="Ask for consent")
        expect(dialog).to_contain_text("must be mended first")
        expect(dialog.get_by_role("button", name="Ask for consent")).to_be_disabled()
        dialog.get_by_role("button", name="Cancel").click()

        canvas.whole()
        canvas.clicks("package_products__create_label")
        canvas.keys("Delete")
        canvas.clicks("gift_wrap")
        canvas.connects("create_label")
        page.locator("#problems a", has_text="Gift wrap").first.click()
        page.get_by_label("Team").select_option("warehouse")
        page.get_by_label("Due after").fill("2 h")
        page.get_by_label("Instructions").fill("Wrap every piece marked as a gift.")
        page.locator("#p-form").select_option("+")
        page.get_by_role("textbox", name="Name of the new form").fill("gift_wrap")
        page.keyboard.press("Enter")
        expect(page.locator("#p-form")).to_have_value("gift_wrap.json")
        canvas.problems()
        expect(page.locator("#problems .bad")).to_have_count(0)

        assert canvas.properties("gift_wrap") == {
            "team": "warehouse", "due": "PT2H", "formJsonSchemaFilename": "gift_wrap.json"}
        assert [f for f in site.shop.engine.check_draft(draft.id) if f.severity == "error"] == []

        page.get_by_role("button", name="Ask for consent").click()
        page.get_by_label("Why is it changed?").fill("Customers ask for it.")
        dialog.get_by_role("button", name="Ask for consent").click()
        page.wait_for_url(re.compile(r"/processes/order_fulfillment/\d+$"))
        number = int(page.url.rpartition("/")[2])
        asked = site.shop.engine.version("order_fulfillment", number)
        assert (asked.state, asked.reason, asked.deployed_by) == (
            "awaiting_consent", "Customers ask for it.", "analyst")
        site.shop.engine.return_version("order_fulfillment", number, SECOND, "A test.")


@pytest.mark.parametrize("file", ["order_fulfillment.bpmn", "order_cancellation.bpmn"])
def test_an_untouched_diagram_keeps_everything(opened: Open, site: Site, file: str) -> None:
    """Opened and exported, it means the same to the engine, to the last property, and has the same findings."""
    with drafted(site) as draft:
        canvas = Canvas(opened("analyst"), site, draft).opens(file)

        exported = _exported(canvas, "Export as .bpmn")

        before = draft.files[f"processes/{file}"]
        assert meaning(exported) == meaning(before)
        engine, after = site.shop.engine, {**draft.files, f"processes/{file}": exported}
        assert _said(engine.check(Bundle(after))) == _said(engine.check(Bundle(draft.files)))


def test_what_the_engine_does_not_know_is_kept_too(opened: Open, site: Site) -> None:
    """Extensions of other editors, lists that a repetition goes over, texts in any alphabet."""
    with drafted(site, files={"processes/rich.bpmn": FOREIGN}) as draft:
        canvas = Canvas(opened("analyst"), site, draft).opens()

        assert meaning(_exported(canvas, "Export as .bpmn")) == meaning(FOREIGN)


def test_an_operations_parameters_are_those_of_its_handler(opened: Open, site: Site) -> None:
    """Another operation asks for other parameters; one that both have keeps its expression; undo brings all back."""
    with drafted(site) as draft:
        canvas = Canvas(opened("analyst"), site, draft).opens()
        page = canvas.page
        canvas.finds("Reserve inventory for order")
        expect(page.locator("#p-parameter-region")).to_have_value("order.stock_region")

        page.locator("#p-operation").select_option("courier.book")
        assert page.locator("#panel label", has_text=re.compile("^(courier|shipping_method)$")).count() == 2
        assert any("shipping_method" in text for text in canvas.problems())
        page.locator("#p-operation").select_option("inventory.check")
        expect(page.locator("#p-parameter-region")).to_have_value("")
        page.locator("#p-parameter-region").fill("order.region(")
        expect(page.locator("#p-parameter-region-problem")).to_be_visible()

        for _ in range(3):
            page.get_by_role("button", name="Undo").click()
        expect(page.locator("#p-operation")).to_have_value("inventory.reserve")
        assert canvas.problems() == []
        assert meaning(canvas.is_saved().files[ORDER]) == meaning(draft.files[ORDER])


def test_the_approvals_that_must_still_hold_are_ticked(opened: Open, site: Site) -> None:
    """An id that is no approval is said at the field, and a renamed approval is followed."""
    with drafted(site) as draft:
        both, wrong = b'value="approve_reservation, approve_payment"', b'value="approve_payment, x"'
        changed = draft.files[ORDER].replace(both, wrong)
        site.shop.engine.save_draft(draft.id, ANALYST, revision=draft.revision, files={ORDER: changed})
        canvas = Canvas(opened("analyst"), site, draft).opens()
        page = canvas.page
        canvas.finds("Assign order to shipment courier")
        expect(page.locator("#p-requires-problem")).to_contain_text("requires names 'x', which is no approval")

        page.get_by_label("x (unknown)").click()
        page.get_by_label("Approval: Inventory Reservation").check()
        expect(page.locator("#p-requires-problem")).to_have_count(0)
        assert canvas.problems() == []
        assert canvas.properties("assign_courier")["requires"] == "approve_reservation, approve_payment"

        canvas.finds("Approval: Inventory Reservation")
        page.locator("#p-id").fill("approve_stock")
        page.keyboard.press("Enter")
        expect(page.locator("#panel header .code")).to_have_text("approve_stock")
        canvas.problems()
        assert canvas.properties("assign_courier")["requires"] == "approve_stock, approve_payment"


def test_conditions_timers_and_messages_are_written_as_the_engine_reads_them(opened: Open, site: Site) -> None:
    """Times as people write them, a condition with its default, a message by its name."""
    with drafted(site) as draft:
        canvas = Canvas(opened("analyst"), site, draft).opens()
        page = canvas.page

        canvas.finds("Not in 7 days")
        page.get_by_label("How long").fill("1 d 12 h")
        canvas.finds("What to do?")
        page.locator(".ways .link", has_text="wait").click()
        expect(page.locator("#p-condition")).to_have_value('resolve_shortage.choice == "wait"')
        page.locator("#p-condition").fill('resolve_shortage.choise == "wait"')
        expect(page.locator("#p-condition-problem")).to_contain_text("choise")
        page.locator("#p-condition").fill('resolve_shortage.choice != "cancel"')
        canvas.finds("Wait for restock")
        page.locator("#p-message").select_option("+")
        page.get_by_role("textbox", name="Name of the message").fill("stock.on_its_way")
        page.keyboard.press("Enter")
        expect(page.locator("#p-message")).to_have_value("stock.on_its_way")

        canvas.problems()
        timer = canvas.saved_element("restock_overdue_def")
        assert timer.findtext("{*}timeDuration") == "P1DT12H"
        flow = canvas.saved_element("shortage_way__wait_for_restock")
        assert flow.findtext("{*}conditionExpression") == 'resolve_shortage.choice != "cancel"'
        message = canvas.saved_element("wait_for_restock").get("messageRef")
        assert canvas.saved_element(message).get("name") == "stock.on_its_way"


def test_a_renamed_id_is_followed_by_what_names_it(opened: Open, site: Site) -> None:
    """Conditions, parameters and lists of the same diagram; in one step that undo takes back."""
    with drafted(site) as draft:
        canvas = Canvas(opened("analyst"), site, draft).opens()
        canvas.finds("Resolve stock shortage")
        canvas.page.locator("#p-id").fill("settle_shortage")
        canvas.page.keyboard.press("Enter")

        expect(canvas.page.locator("#panel header .code")).to_have_text("settle_shortage")
        canvas.problems()
        flow = canvas.saved_element("shortage_way__wait_for_restock")
        assert flow.findtext("{*}conditionExpression") == 'settle_shortage.choice == "wait"'
        canvas.keys("Control+z")
        expect(canvas.page.locator("#panel header .code")).to_have_text("resolve_shortage")
        canvas.page.locator("#p-id").fill("close_order")
        canvas.page.keyboard.press("Enter")
        expect(canvas.page.locator("#panel [role=alert]")).to_contain_text("Another element has the id close_order")


def test_an_added_element_covers_nothing(opened: Open, site: Site) -> None:
    """No flow and no other element lies under it; its flow comes in from the left; it stays in the lane."""
    with drafted(site) as draft:
        canvas = Canvas(opened("analyst"), site, draft).opens()
        canvas.finds("Package ordered products")
        canvas.adds("user", "Gift wrap")
        canvas.problems()

        root = etree.fromstring(canvas.is_saved().files[ORDER])
        boxes = {shape.get("bpmnElement"): _box(shape[0]) for shape in root.iter("{*}BPMNShape")}
        kinds = {node.get("id"): etree.QName(node).localname for node in root.iter() if isinstance(node.tag, str)}
        left, top, right, bottom = boxes["gift_wrap"]
        over = [name for name, box in boxes.items() if kinds[name] not in ("lane", "participant")
                and name != "gift_wrap" and _meet(box, boxes["gift_wrap"])]
        ways = {edge.get("bpmnElement"): [(float(p.get("x")), float(p.get("y"))) for p in edge.iter("{*}waypoint")]
                for edge in root.iter("{*}BPMNEdge")}
        inside = (left + 1, top + 1, right - 1, bottom - 1)
        over += [name for name, points in ways.items() for a, b in itertools.pairwise(points)
                 if _meet((min(a[0], b[0]), min(a[1], b[1]), max(a[0], b[0]), max(a[1], b[1])), inside)]
        assert over == []
        [flow] = [one for one in root.iter("{*}sequenceFlow") if one.get("targetRef") == "gift_wrap"]
        assert ways[flow.get("id")][-1] == (left, (top + bottom) / 2)
        [lane] = [one for one in root.iter("{*}lane") if "gift_wrap" in [each.text for each in one]]
        assert "package_products" in [each.text for each in lane]


def test_the_palette_covers_nothing_of_the_whole_diagram(opened: Open, site: Site) -> None:
    with drafted(site) as draft:
        canvas = Canvas(opened("analyst"), site, draft).opens()
        palette = canvas.page.locator(".djs-palette").bounding_box()

        for words in ("as it opens", "Whole diagram"):
            if words != "as it opens":
                canvas.whole()
            drawn = canvas.page.locator("#canvas .djs-viewport .djs-group .djs-shape").evaluate_all(
                "all => Math.min(...all.map(each => each.getBoundingClientRect().left))")
            assert drawn >= palette["x"] + palette["width"], words


def test_the_search_box_keeps_its_icon_beside_the_text(opened: Open, site: Site) -> None:
    with drafted(site) as draft:
        page = Canvas(opened("analyst"), site, draft).opens().page
        page.keyboard.press("Control+f")
        icon = page.locator(".djs-search-input svg").bounding_box()
        field = page.locator(".djs-search-input input")

        padding = float(field.evaluate("it => parseFloat(getComputedStyle(it).paddingLeft)"))
        assert field.bounding_box()["x"] + padding >= icon["x"] + icon["width"]


def test_the_words_are_those_of_the_field(opened: Open, site: Site) -> None:
    """A wrong time is answered in the way that the field is written in, and a box by what stands beside it."""
    with drafted(site) as draft:
        still = draft.files[ORDER].replace(b'isExecutable="true"', b'isExecutable="false"')
        site.shop.engine.save_draft(draft.id, ANALYST, revision=1, files={ORDER: still})
        canvas = Canvas(opened("analyst"), site, draft).opens()
        page = canvas.page
        canvas.finds("Package ordered products")
        page.get_by_label("Due after").fill("soonish")

        expect(page.locator("#p-due-problem")).to_contain_text("for example 4 h")
        canvas.problems()
        told = page.locator("#problems tbody").inner_text()
        assert "ISO 8601" not in told
        assert "Tick “Can be run” at the process." in told


def test_a_new_form_is_named_after_its_task_and_never_otherwise_than_typed(opened: Open, site: Site) -> None:
    """A name that cannot be taken, or is taken, is said in the dialog."""
    with drafted(site) as draft:
        canvas = Canvas(opened("analyst"), site, draft).opens()
        page = canvas.page
        canvas.finds("Package ordered products")
        page.locator("#p-form").select_option("+")
        name = page.get_by_role("textbox", name="Name of the new form")
        expect(name).to_have_value("package_ordered_products")

        for wrong, words in (("../Evil Näme", "no spaces"), ("package_products", "There is a form package_products")):
            name.fill(wrong)
            page.keyboard.press("Enter")
            expect(page.locator("#ask").get_by_role("alert")).to_contain_text(words)
        name.fill("Wrapping-2")
        page.keyboard.press("Enter")

        expect(page.locator("#p-form")).to_have_value("Wrapping-2.json")
        canvas.problems()
        assert "forms/Wrapping-2.json" in canvas.is_saved().files


def test_a_file_without_a_picture_says_what_to_do(opened: Open, site: Site) -> None:
    with drafted(site, files=dict(bundle("Look").files)) as draft:
        page = Canvas(opened("analyst"), site, draft).opens().page

        told = page.locator("#cannot")
        expect(told).to_contain_text("This file has no picture")
        expect(told).to_contain_text("Save it with its picture in the tool that it comes from")
        expect(page.locator(".djs-palette")).to_be_hidden()


# --- several people, and a server that is away ----------------------------------------------------------------------


def test_the_second_of_two_analysts_is_told_and_overwrites_nothing(opened: Open, site: Site) -> None:
    """Who changed it and when; theirs can be loaded, or one's own kept as a copy."""
    with drafted(site) as draft:
        ines, karl = (Canvas(opened(name), site, draft).opens() for name in ("analyst", "analyst-2"))
        ines.finds("Package ordered products")
        with ines.saving():
            ines.page.locator("#p-name").fill("Pack the goods")
        first = ines.is_saved()
        karl.finds("Create shipping label")
        karl.page.locator("#p-name").fill("Print the label")

        notice = karl.page.locator("#notices")
        expect(notice).to_contain_text(re.compile(r"Ines Duarte changed the same file \d+ s ago"))
        expect(karl.page.locator("#saved")).to_contain_text("Not saved")
        assert site.shop.engine.draft(draft.id).files == first.files
        notice.get_by_role("button", name="Keep mine as a copy").click()

        karl.page.wait_for_url(lambda url: draft.id not in url)
        karl.is_drawn()
        expect(karl.page.locator("h1")).to_have_text("Gift wrap (copy of Karl Novak)")
        karl.id = karl.page.url.rpartition("/")[2]
        assert karl.saved_element("create_label").get("name") == "Print the label"
        assert karl.saved_element("package_products").get("name") == "Package ordered products"
        site.shop.engine.discard_draft(karl.id, SECOND)


def test_changes_of_different_files_do_not_meet(opened: Open, site: Site) -> None:
    """Karl edits a form while Ines draws: both are kept, and she is told."""
    with drafted(site) as draft:
        ines = Canvas(opened("analyst"), site, draft).opens()
        form = draft.files["forms/package_products.json"] + b"\n"
        site.shop.engine.save_draft(draft.id, SECOND, revision=1, files={"forms/package_products.json": form})

        ines.finds("Package ordered products")
        with ines.saving():
            ines.page.locator("#p-name").fill("Pack the goods")

        expect(ines.page.locator("#notices")).to_contain_text(re.compile(r"Karl Novak changed this \d+ s ago"))
        assert ines.saved_element("package_products").get("name") == "Pack the goods"
        assert ines.is_saved().files["forms/package_products.json"] == form


def test_what_somebody_else_saved_is_told_before_one_types(opened: Open, site: Site) -> None:
    with drafted(site) as draft:
        ines = Canvas(opened("analyst"), site, draft).opens()
        site.shop.engine.save_draft(draft.id, SECOND, revision=1, files={"forms/new.json": b"{}"})

        ines.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

        expect(ines.page.locator("#notices")).to_contain_text("Karl Novak changed this")
        ines.page.get_by_role("button", name="Load it").click()
        expect(ines.page.locator("#notices")).not_to_contain_text("Karl Novak")


def test_work_survives_a_server_that_is_away(opened: Open, site: Site) -> None:
    """It says so, tries again, and a page that is loaded again has what was not saved."""
    with drafted(site) as draft:
        canvas = Canvas(opened("analyst"), site, draft).opens()
        page = canvas.page
        page.route("**/api/v1/drafts/*/files", lambda route: route.abort())
        canvas.finds("Package ordered products")
        page.locator("#p-name").fill("Pack the goods")
        expect(page.locator("#saved")).to_have_text("Not saved: the server cannot be reached, trying again")

        page.reload()
        page.unroute("**/api/v1/drafts/*/files")
        canvas.is_drawn()
        expect(page.locator("#saved")).to_have_text(re.compile("^Saved"))  # perhaps by what the page sent as it left
        assert canvas.saved_element("package_products").get("name") == "Pack the goods"


def test_a_name_that_is_being_typed_is_not_lost_with_the_window(opened: Open, site: Site) -> None:
    """Before Enter it is not said to be saved; a window that closes saves it."""
    with drafted(site, files={"processes/rich.bpmn": FOREIGN}) as draft:
        canvas = Canvas(opened("analyst"), site, draft).opens()
        page = canvas.page
        canvas.finds("For each")
        canvas.keys("e")
        page.locator(".djs-direct-editing-content").fill("For every one")
        expect(page.locator("#saved")).to_have_text("Changed")

        page.close(run_before_unload=True)

        deadline = time.monotonic() + PATIENCE / 1000
        while site.shop.engine.draft(draft.id).revision == draft.revision and time.monotonic() < deadline:
            time.sleep(0.1)
        assert b"For every one" in site.shop.engine.draft(draft.id).files["processes/rich.bpmn"]


def test_a_check_does_not_end_the_typing_of_a_name(opened: Open, site: Site) -> None:
    """The new element is checked and saved while its name is typed; Escape leaves all as it was."""
    with drafted(site) as draft:
        canvas = Canvas(opened("analyst"), site, draft).opens()
        page = canvas.page
        canvas.finds("Package ordered products")
        canvas.is_saved()
        canvas.keys("e")
        page.locator(".djs-direct-editing-content").press_sequentially("Pack", delay=20)
        expect(page.locator("#saved")).to_have_text("Changed")
        page.wait_for_timeout(1_500)  # longer than any pause after which something is taken up
        expect(page.locator(".djs-direct-editing-content")).to_be_visible()

        page.keyboard.press("Escape")

        expect(page.locator("#saved")).to_contain_text("Saved")
        assert canvas.is_saved().revision == draft.revision


def test_what_one_has_of_a_discarded_draft_can_be_kept(opened: Open, site: Site) -> None:
    """Somebody else discards it: the author goes on in a copy with everything, the last change included."""
    draft = site.shop.engine.open_draft(ANALYST, title="Gift wrap", key="order_fulfillment", base_version=1)
    canvas = Canvas(opened("analyst"), site, draft).opens()
    canvas.finds("Package ordered products")
    site.shop.engine.discard_draft(draft.id, SECOND)
    canvas.page.locator("#p-name").fill("Pack the goods")
    notice = canvas.page.locator("#notices")
    expect(notice).to_contain_text("Somebody discarded it")

    notice.get_by_role("button", name="Keep mine as a copy").click()

    canvas.page.wait_for_url(lambda url: draft.id not in url)
    canvas.is_drawn()
    canvas.id = canvas.page.url.rpartition("/")[2]
    assert canvas.saved_element("package_products").get("name") == "Pack the goods"
    assert set(canvas.is_saved().files) == set(draft.files)
    site.shop.engine.discard_draft(canvas.id, ANALYST)


def test_an_answer_to_an_older_text_is_dropped(opened: Open, site: Site) -> None:
    """However late it comes, the list speaks of what is drawn now."""
    with drafted(site) as draft:
        canvas = Canvas(opened("analyst"), site, draft).opens()
        page, held = canvas.page, list[Route]()
        assert canvas.problems() == []
        page.route("**/check", lambda route: held.append(route) if not held else route.continue_())
        canvas.finds("Package ordered products")
        page.locator("#p-due").fill("whenever")
        with page.expect_request("**/check"):
            pass
        page.locator("#p-team").select_option("finance")
        expect(page.locator("#p-team-problem")).to_be_visible()

        stale = {"file": ORDER, "element": "close_order", "name": "Close", "line": 1, "rule": "x",
                 "message": "Stale.", "advice": "", "severity": "error", "fix": None}
        with page.expect_response(lambda answer: answer.url.endswith("/check")):
            held[0].fulfill(json={"deployable": False, "findings": [stale], "ms": 1})
        page.evaluate("() => fetch('/healthz')")  # whatever the page does with that answer is done by now

        assert "Stale." not in " ".join(canvas.problems())


# --- tools -----------------------------------------------------------------------------------------------------------


def test_pictures_of_the_diagram_are_exported(opened: Open, site: Site) -> None:
    with drafted(site) as draft:
        canvas = Canvas(opened("analyst"), site, draft).opens()

        assert b"Package ordered" in _exported(canvas, "Export as SVG")
        assert _exported(canvas, "Export as PNG").startswith(b"\x89PNG")


def test_files_are_imported_into_the_draft(opened: Open, site: Site) -> None:
    """A form of the same name is replaced after a question; a stranger is refused by name."""
    with drafted(site) as draft:
        canvas = Canvas(opened("analyst"), site, draft).opens()
        page = canvas.page
        page.set_input_files("#import", {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"x"})
        expect(page.locator("#told")).to_contain_text("notes.txt is neither a diagram, a table nor a form")

        form = json.dumps({"type": "object", "properties": {}}).encode()
        with page.expect_navigation():
            page.set_input_files(
                "#import", {"name": "package_products.json", "mimeType": "application/json", "buffer": form})
        canvas.is_drawn()

        assert canvas.is_saved().files["forms/package_products.json"] == form


def test_an_imported_file_is_read_in_the_encoding_that_it_declares(opened: Open, site: Site) -> None:
    """Not every tool writes UTF-8; no letter becomes a question mark."""
    foreign = site.shop.engine.bundle("order_fulfillment", 1).files["processes/order_cancellation.bpmn"].decode()
    foreign = re.sub(r"<\?xml.*?\?>", '<?xml version="1.0" encoding="ISO-8859-1"?>', foreign)
    foreign = re.sub(r'(<bpmn:process [^>]*?name=")[^"]*', r"\1Rückgängig", foreign)
    with drafted(site) as draft:
        canvas = Canvas(opened("analyst"), site, draft).opens()
        page = canvas.page

        with page.expect_navigation():
            page.set_input_files("#import", {
                "name": "order_cancellation.bpmn", "mimeType": "application/xml", "buffer": foreign.encode("latin-1")})
        canvas.is_drawn()

        root = etree.fromstring(canvas.is_saved().files["processes/order_cancellation.bpmn"])
        assert root.find("{*}process").get("name") == "Rückgängig"


def test_minimap_simulation_keys_and_the_mark(opened: Open, site: Site) -> None:
    """The tools open and close; bpmn.io's mark is fully visible all the time."""
    with drafted(site) as draft:
        canvas = Canvas(opened("analyst"), site, draft).opens()
        page = canvas.page

        page.get_by_role("button", name="Minimap").click()
        expect(page.locator(".djs-minimap .map")).to_be_visible()
        canvas.keys("?")
        expect(page.get_by_role("dialog", name="Keys")).to_contain_text("Find an element")
        page.keyboard.press("Escape")
        page.keyboard.press("Control+f")
        expect(page.locator(".djs-search-input input")).to_be_focused()
        page.keyboard.press("Escape")
        assert _uncovered(page, "#canvas .bjs-powered-by")

        page.get_by_role("button", name="Simulate").click()
        trigger = page.locator("#simulation .bts-context-pad:not(.hidden)").first
        trigger.click()
        expect(page.locator("#simulation .bts-token, #simulation .bts-token-count").first).to_be_attached()
        assert _uncovered(page, "#simulation .bjs-powered-by")
        page.get_by_role("button", name="Simulate").click()
        expect(page.locator("#simulation")).to_be_hidden()


def test_a_diagram_that_cannot_be_drawn_is_said_to_be_so(opened: Open, site: Site) -> None:
    """The page stays, the list names the fault, and nothing is saved over the file."""
    with drafted(site) as draft:
        site.shop.engine.save_draft(draft.id, SECOND, revision=1, files={ORDER: b"<definitions><broken"})
        canvas = Canvas(opened("analyst"), site, draft).opens("order_fulfillment.bpmn")

        expect(canvas.page.locator("#cannot")).to_contain_text("This file cannot be drawn")
        assert any("not well-formed" in text for text in canvas.problems())
        assert site.shop.engine.draft(draft.id).revision == 2


def test_nothing_of_another_diagram_is_saved_over_one_that_cannot_be_drawn(opened: Open, site: Site) -> None:
    """What was on the canvas before, and can be undone there, is another file's."""
    with drafted(site) as draft:
        broken = b"<definitions><broken"
        site.shop.engine.save_draft(
            draft.id, ANALYST, revision=1, files={"processes/order_cancellation.bpmn": broken})
        canvas = Canvas(opened("analyst"), site, draft).opens()
        page = canvas.page
        canvas.finds("Package ordered products")
        canvas.adds("user", "Gift wrap")
        page.evaluate("document.querySelector('[data-diagram=\"processes/order_cancellation.bpmn\"]').click()")
        expect(page.locator("#cannot")).to_be_visible()

        page.keyboard.press("Control+z")
        canvas.problems()
        page.wait_for_timeout(1_500)

        assert canvas.is_saved().files["processes/order_cancellation.bpmn"] == broken


@pytest.mark.parametrize("dark", [False, True])
def test_the_canvas_page_is_accessible(opened: Open, site: Site, dark: bool) -> None:
    """axe finds nothing in shell, panel, list and palette; bpmn-js' own drawing is left out."""
    with drafted(site) as draft:
        canvas = Canvas(opened("analyst", dark=dark), site, draft).opens()
        canvas.finds("Approval: Inventory Reservation")
        canvas.page.locator("#p-due").fill("whenever")
        expect(canvas.page.locator("#p-due-problem")).to_be_visible()

        assert _violations(canvas.page) == []


def test_on_a_phone_the_picture_can_be_looked_at(opened: Open, site: Site) -> None:
    """With the problems below; nothing to edit, and nothing scrolls sideways."""
    with drafted(site) as draft:
        canvas = Canvas(opened("analyst", width=390), site, draft).opens()
        page = canvas.page

        assert canvas.problems() == []
        assert page.locator(".djs-palette, #panel label").count() == 0
        expect(page.get_by_text("Read-only here")).to_be_visible()
        expect(page.get_by_role("button", name="Ask for consent")).to_be_hidden()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert _violations(page) == []


def _box(bounds: Any) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a shape."""
    x, y, width, height = (float(bounds.get(name)) for name in ("x", "y", "width", "height"))
    return x, y, x + width, y + height


def _meet(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] <= b[2] and b[0] <= a[2] and a[1] <= b[3] and b[1] <= a[3]


def _exported(canvas: Canvas, words: str) -> bytes:
    canvas.page.locator("summary", has_text="Files").click()
    with canvas.page.expect_download() as waiting:
        canvas.page.get_by_role("button", name=words).click()
    return Path(waiting.value.path()).read_bytes()


def _said(findings: Any) -> set[tuple[Any, ...]]:
    return {(f.file, f.element, f.rule, f.message) for f in findings}


def _uncovered(page: Any, selector: str) -> bool:
    """Whether every corner of an element is what lies on top there."""
    return bool(page.evaluate("""selector => {
      const mark = document.querySelector(selector), box = mark.getBoundingClientRect();
      return [[2, 2], [box.width - 2, 2], [2, box.height - 2], [box.width - 2, box.height - 2]].every(([x, y]) =>
        mark.contains(document.elementFromPoint(box.left + x, box.top + y)));
    }""", selector))


def _violations(page: Any) -> list[str]:
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate(
        "axe.run({exclude: ['.djs-container > svg', '.djs-overlay-container']}, {resultTypes: ['violations']})")
    return [f"{v['id']}: {node['html'][:200]}" for v in found["violations"] for node in v["nodes"]]
