"""Tax by the country shipped to and the day of the invoice."""

from __future__ import annotations

from datetime import date

import pytest

from handlers.tax import NO_TAX, Tax, tax_for

TODAY = date(2026, 11, 23)


@pytest.mark.parametrize(
    ("country", "tax"),
    [
        ("DE", Tax("VAT", 1900)),
        ("FR", Tax("VAT", 2000)),
        ("FI", Tax("VAT", 2550)),
        ("GB", Tax("VAT", 2000)),
        ("CH", Tax("VAT", 810)),
        ("NO", Tax("VAT", 2500)),
        ("CA", Tax("GST", 500)),
        ("MY", Tax("SST", 800)),
        ("SG", Tax("GST", 900)),
        ("US", NO_TAX),
    ],
)
def test_each_country_has_its_tax(country: str, tax: Tax) -> None:
    """European rates come from the Commission's data, the others from our table."""
    assert tax_for(country, TODAY) == tax


def test_an_unknown_country_pays_none() -> None:
    """Where we know no rate none is charged, and the invoice says so."""
    assert tax_for("AQ", TODAY) == Tax("No tax", 0)


@pytest.mark.parametrize(
    ("country", "last_day", "before", "after"),
    [("CH", date(2023, 12, 31), 770, 810), ("MY", date(2024, 2, 29), 600, 800), ("SG", date(2022, 12, 31), 700, 800)],
)
def test_a_rate_begins_on_its_day(country: str, last_day: date, before: int, after: int) -> None:
    """An invoice bears the rate of its day."""
    assert tax_for(country, last_day).rate_bp == before
    assert tax_for(country, date.fromordinal(last_day.toordinal() + 1)).rate_bp == after
