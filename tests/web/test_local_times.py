"""Each person's own time zone and locale."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from tests.web.api_world import World, order_body
from tests.web.visitor import Visitor, visitor

CHOICE = "/account/local-times"


def test_a_person_reads_times_and_numbers_as_chosen(world: World) -> None:
    """The choice holds on every page, for this person alone; the zone is said."""
    anna = visitor(world, "sales")
    form = anna.goes(CHOICE).form(CHOICE)

    anna.sends(CHOICE, {**form, "time_zone": "Asia/Kolkata", "locale": "en_DE"})

    page = anna.goes(CHOICE)
    assert "Mon, 23 Nov, 13:30" in page.text  # 08:00 UTC
    assert "1.234,5" in page.text
    assert "Times are Kolkata, UTC+5:30." in page.text
    assert "Times are UTC." in visitor(world, "owner").goes("/inbox").text


def test_a_time_stands_in_the_page_for_machines_too(world: World) -> None:
    """Whatever the zone, the attribute holds the moment."""
    anna = visitor(world, "sales")
    anna.sends(CHOICE, {**anna.goes(CHOICE).form(CHOICE), "time_zone": "Asia/Kolkata"})

    assert anna.goes(CHOICE).find("//time/@datetime") == ["2026-11-23T08:00:00Z"]


@pytest.mark.parametrize("wrong", [{"time_zone": "Berlin"}, {"locale": "xx_YY"}, {"locale": "de_DE"}])
def test_what_is_not_on_the_list_is_refused(world: World, wrong: dict[str, str]) -> None:
    """Nothing is kept of it."""
    anna = visitor(world, "sales")

    answer = anna.sends(CHOICE, {**anna.goes(CHOICE).form(CHOICE), **wrong})

    assert answer.status == 422
    assert "from the list" in answer.text
    assert "Times are UTC." in anna.goes("/inbox").text


def test_the_api_answers_everybody_alike(world: World) -> None:
    """Programs read UTC and plain numbers whatever their account has chosen."""
    anna = visitor(world, "sales")
    before = anna.client.get("/api/v1/tasks").get_data()
    anna.sends(CHOICE, {**anna.goes(CHOICE).form(CHOICE), "time_zone": "Asia/Kolkata", "locale": "en_DE"})

    assert anna.client.get("/api/v1/tasks").get_data() == before


@pytest.mark.parametrize(("address", "zone"), [
    ({"street": "Rruga e Durresit 9", "city": "Tirana", "postal_code": "1001", "country": "AL"}, "Tirane, UTC+1"),
    (order_body()["shipping_address"], "UTC"),  # of the United States
])  # fmt: skip
def test_a_customer_reads_the_times_of_the_own_country(world: World, address: dict[str, str], zone: str) -> None:
    """Where all its clocks show the same, else those of the company; the page says which."""
    order = world.of("sales").post("/orders", order_body(shipping_address=address)).json["number"]
    link = urlsplit(world.of("sales").get(f"/orders/{order}").json["tracking_url"]).path

    assert f"Times are {zone}." in Visitor(world.app).goes(link).text
