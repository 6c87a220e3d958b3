"""Pages in a language in which every text is wrapped: what stands there unwrapped was not marked for the catalogue."""

from __future__ import annotations

import json

from tests.web.api_world import World, order_body
from tests.web.every_text import left_out
from tests.web.visitor import visitor

PAGES = (
    "/stock", "/mails", "/messages", "/messages?state=waiting", "/messages?state=set_aside",
    "/messages?state=taken", "/incidents", "/account/local-times", "/nowhere",
)  # fmt: skip
"""Pages whose texts are in the catalogue. A page is added when its texts are marked."""
MAIL = "We have your order WB-10001"
"""A mail as it was sent stays as it is."""


def test_every_text_of_a_page_is_in_the_catalogue(world: World, wrapped: None) -> None:
    """Nothing is said in English alone, outside of data."""
    world.of("sales").post("/orders", order_body())
    world.work()
    world.engine.deliver("courier.reported", "WB-99999", {"status": "delayed"}, source="webhook", message_id="astray")

    assert left_out(visitor(world, "owner"), PAGES, [MAIL]) == {}


def test_scripts_have_their_texts_from_the_page(world: World, wrapped: None) -> None:
    """Each that the catalogue found in a script, in the reader's language."""
    found = visitor(world, "owner").goes("/stock").find("//script[@id='texts']")

    assert json.loads(found[0].text)["Not saved"] == "⟦Not saved⟧"


def test_an_english_page_carries_no_texts_for_scripts(world: World) -> None:
    """They stand in the scripts."""
    assert not visitor(world, "owner").goes("/stock").find("//script[@id='texts']")
