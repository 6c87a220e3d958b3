"""Countries by code and by name."""

from __future__ import annotations

import pytest

from handlers.countries import country_name, find_country, names, serving_region


def test_the_codes_are_those_of_iso_3166() -> None:
    """249 countries and territories, none of the locale data's own inventions."""
    assert len(names()) == 249
    assert not {"EU", "UN", "ZZ", "XA", "XK"} & set(names())


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("DE", "DE"), ("de", "DE"), ("DEU", "DE"), ("Germany", "DE"), (" germany ", "DE"), ("USA", "US"), ("UK", "GB"),
        ("Côte d’Ivoire", "CI"), ("Cote d'Ivoire", "CI"), ("Bosnia and Herzegovina", "BA"), ("Türkiye", "TR"),
        ("Turkey", "TR"), ("Viet Nam", "VN"), ("Venezuela", "VE"),
    ],
)  # fmt: skip
def test_people_call_countries_many_names(text: str, code: str) -> None:
    """Codes of two and three letters and English names are understood, whatever their case and accents."""
    assert find_country(text) == code


@pytest.mark.parametrize("text", ["", " ", "XX", "EU", "Atlantis", "D", "Germany!", "\x00", "276"])
def test_what_is_no_country_is_none(text: str) -> None:
    """A guess would send a parcel somewhere else."""
    assert find_country(text) is None


def test_every_country_is_served() -> None:
    """Each country has a region, and each region countries."""
    assert {serving_region(code) for code in names()} == {"north_america", "europe", "malaysia"}
    assert country_name("MY") == "Malaysia"
    assert country_name("??") == "??"
