"""Pages in a language in which every text is wrapped: what stands there unwrapped was not marked for the catalogue."""

from __future__ import annotations

import pytest

from tests.web.api_world import World, order_body
from tests.web.every_text import unmarked
from tests.web.visitor import visitor

PAGES = (
    "/stock", "/mails", "/messages", "/messages?state=waiting", "/messages?state=set_aside",
    "/messages?state=taken", "/incidents", "/account/local-times", "/nowhere",
)  # fmt: skip
"""Pages whose texts are in the catalogue. A page is added when its texts are marked."""
MAIL = "We have your order WB-10001"
"""A mail as it was sent stays as it is."""


@pytest.mark.parametrize("address", PAGES)
def test_every_text_of_a_page_is_in_the_catalogue(world: World, wrapped: None, address: str) -> None:
    """Nothing is said in English alone, outside of data."""
    world.of("sales").post("/orders", order_body())
    world.work()
    world.engine.deliver("courier.reported", "WB-99999", {"status": "delayed"}, source="webhook", message_id="astray")
    page = visitor(world, "owner").goes(address)

    assert unmarked(page.tree, [MAIL]) == []
