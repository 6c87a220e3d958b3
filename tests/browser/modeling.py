"""Words for tests of the modeler: an analyst at the canvas, and what of it reached the server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lxml import etree
from playwright.sync_api import expect

from engine.views import Actor, DraftView
from tests.browser.conftest import Site

ANALYST = Actor("analyst", frozenset({"analysts"}))
SECOND = Actor("analyst-2", frozenset({"analysts"}))
BPMNDI = "{http://www.omg.org/spec/BPMN/20100524/DI}"
PATIENCE = 30_000
"""Milliseconds for what the server has to work out; a machine may be busy with other tests."""
ORDER = "processes/order_fulfillment.bpmn"


@contextmanager
def drafted(site: Site, title: str = "Gift wrap", files: dict[str, bytes] | None = None) -> Iterator[DraftView]:
    """A draft of the order process, or of these files; discarded when it is still open at the end."""
    engine = site.shop.engine
    of = {"files": files} if files is not None else {"key": "order_fulfillment", "base_version": 1}
    draft = engine.open_draft(ANALYST, title=title, **of)  # type: ignore[arg-type]
    yield draft
    if engine.draft(draft.id).state == "open":
        engine.discard_draft(draft.id, ANALYST)


class Canvas:
    """The modeler's page of one draft."""

    def __init__(self, page: Any, site: Site, draft: DraftView) -> None:
        self.page, self.site, self.id = page, site, draft.id
        page.on("dialog", lambda dialog: dialog.accept())
        page.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)

    def opens(self, file: str = "") -> Canvas:
        self.page.goto(f"/modeler/{self.id}" + (f"?file={file}" if file else ""))
        return self.is_drawn()

    def is_drawn(self) -> Canvas:
        self.page.wait_for_selector("html[data-ready=yes]")
        return self

    def finds(self, words: str) -> None:
        """Chooses an element by the search."""
        self.page.get_by_label("Find an element").click()
        self.page.locator(".djs-search-input input").press_sequentially(words)
        self.page.locator(".djs-search-result").first.wait_for()
        self.page.keyboard.press("Enter")
        expect(self.page.locator("#panel h2")).to_contain_text(words)

    def clicks(self, id_: str) -> None:
        """Chooses an element on the canvas, beside its middle: a flow may lead over it."""
        box = self.page.locator(f'#canvas [data-element-id="{id_}"] > .djs-hit').first.bounding_box()
        self.page.mouse.click(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.6)

    def whole(self) -> None:
        self.page.get_by_label("Whole diagram").click()

    def keys(self, *keys: str) -> None:
        """Keys, with the canvas in focus."""
        self.page.locator("#canvas .djs-container > svg").focus()
        for key in keys:
            self.page.keyboard.press(key)

    def adds(self, kind: str, name: str) -> None:
        """Adds an element after the chosen one, and names it."""
        self.keys("a")
        self.page.locator(".djs-popup input").press_sequentially(kind)
        self.page.locator(".djs-popup .entry").first.wait_for()
        self.page.keyboard.press("Enter")
        self.page.locator(".djs-direct-editing-content").fill(name)
        self.page.keyboard.press("Enter")
        expect(self.page.locator("#panel h2")).to_have_text(name)

    def connects(self, target: str) -> None:
        """Draws a flow from the chosen element."""
        self.page.locator(".djs-context-pad [data-action='connect']").click()
        self.clicks(target)

    def problems(self) -> list[str]:
        """What the list says once the answer to the last change is there."""
        expect(self.page.locator("#problems [role=status]")).to_contain_text("checked")
        told = self.page.locator("#problems tbody td:nth-child(3)")
        return [" ".join(text.split()) for text in told.all_inner_texts()]

    @contextmanager
    def saving(self) -> Iterator[None]:
        """What happens inside is saved at the end of it."""
        with self.page.expect_response(lambda answer: answer.request.method == "PUT" and answer.ok):
            yield

    def is_saved(self) -> DraftView:
        """Waits until nothing is unsaved; the draft as the server has it."""
        expect(self.page.locator("#saved")).to_contain_text("Saved")
        return self.site.shop.engine.draft(self.id)

    def saved_element(self, id_: str, file: str = ORDER) -> Any:
        """One element of the saved diagram."""
        root = etree.fromstring(self.is_saved().files[file])
        return root.find(f".//*[@id='{id_}']")

    def properties(self, id_: str) -> dict[str, str]:
        """What an analyst set on an element of the saved diagram."""
        found = self.saved_element(id_)
        assert found is not None, id_
        return {p.get("name"): p.get("value") for p in found.iterfind("{*}extensionElements/{*}properties/{*}property")}


def meaning(data: bytes) -> Any:
    """A diagram without its picture, its indents and the order of attributes: what any reader of it must find."""
    root = etree.fromstring(data)
    for picture in root.findall(f"{BPMNDI}BPMNDiagram"):
        root.remove(picture)
    return _meaning(root)


def _meaning(node: etree._Element) -> Any:
    children = [_meaning(child) for child in node if isinstance(child.tag, str)]
    return node.tag, sorted(node.attrib.items()), (node.text or "").strip(), children
