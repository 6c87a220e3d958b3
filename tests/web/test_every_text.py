"""A language in which every text is wrapped: what stands on a page unwrapped was not marked for the catalogue."""

from __future__ import annotations

import re
from gettext import NullTranslations
from typing import Any

import pytest

from tests.web.api_world import World, order_body
from tests.web.visitor import visitor
from web import texts

PAGES = (
    "/stock", "/mails", "/messages", "/messages?state=waiting", "/messages?state=set_aside",
    "/messages?state=taken", "/incidents", "/account/local-times", "/nowhere",
)  # fmt: skip
"""Pages whose texts are in the catalogue. A page is added when its texts are marked."""
SHOWN = ("aria-label", "title", "placeholder", "alt", "data-l")
DATA = "//*[contains(@class, 'code') or self::code or self::kbd or self::bdi or self::option or self::time or self::dd]"
"""Elements that hold data of the company, of people or of machines."""
SHELL = (
    "//header[contains(@class, 'side')] | //nav[contains(@class, 'tabbar')] | //dialog | //aside | //a[@class='skip']"
)
"""Around every page; its texts are not marked yet."""
KNOWN = {"Waybill", "WB", "UTC", "Product", "product", "aisle", "mia", "tanaka", "example", "com"}
"""Words of the company's own data."""
MAIL = "We have your order WB-10001"
"""A mail as it was sent stays as it is."""


class Wrapped(NullTranslations):
    """Every text in brackets, with its values outside of them."""

    def gettext(self, message: str) -> str:
        return re.sub(r"(%\(\w+\)s)", r"⟧\1⟦", f"⟦{message}⟧")

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self.gettext(msgid1 if n == 1 else msgid2)


@pytest.fixture
def wrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "translations", lambda _language: Wrapped())


def unmarked(tree: Any) -> list[str]:
    """The words of a page that are neither in brackets nor known data."""
    for element in tree.xpath(f"{DATA} | {SHELL} | //script | //style"):
        tail = element.tail
        element.clear()
        element.tail = tail
    found = list(tree.xpath("//body//text() | //title/text()"))
    found += [value for name in SHOWN for value in tree.xpath(f"//body//@{name}")]
    left = [re.sub(r"⟦[^⟧]*⟧", "", str(text)).replace(MAIL, "") for text in found]
    return [text.strip() for text in left if set(re.findall(r"[A-Za-z]{2,}", text)) - KNOWN]


@pytest.mark.parametrize("address", PAGES)
def test_every_text_of_a_page_is_in_the_catalogue(world: World, wrapped: None, address: str) -> None:
    """Nothing is said in English alone, outside of data."""
    world.of("sales").post("/orders", order_body())
    world.work()
    world.engine.deliver("courier.reported", "WB-99999", {"status": "delayed"}, source="webhook", message_id="astray")
    page = visitor(world, "owner").goes(address)

    assert unmarked(page.tree) == []
