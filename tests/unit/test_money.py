"""Amounts: minor units inside, decimals where people read and write, half up in between."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers import money


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (150654, "USD", "$1,506.54"),
        (5, "EUR", "€0.05"),
        (1500, "JPY", "¥1,500"),
        (-250, "GBP", "-£2.50"),
        (12900, "MYR", "MYR 129.00"),
    ],
)
def test_people_read_amounts_in_their_currency(amount: int, currency: str, text: str) -> None:
    """Sign of the currency, groups of thousands, as many decimals as the currency has; blanks are plain."""
    assert money.format_money(amount, currency) == text


def test_files_carry_decimals() -> None:
    """`14.00` in a file is 1400 cents; a currency without decimals has none."""
    assert money.parse(" 14.00 ", "USD") == 1400
    assert money.parse("14", "USD") == 1400
    assert money.parse("1500", "JPY") == 1500
    assert money.to_text(1400, "USD") == "14.00"
    assert money.to_decimal(150654, "USD") == Decimal("1506.54")


@pytest.mark.parametrize("text", ["", "abc", "1,50", "NaN", "Infinity", "1e30", "14.005", "0x10"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    """Neither words nor more decimals than the currency has are taken, and the sentence quotes them."""
    with pytest.raises(ValueError, match="“"):
        money.parse(text, "USD")


def test_a_currency_must_exist() -> None:
    """A code nobody knows is named."""
    with pytest.raises(ValueError, match="XYQ"):
        money.parse("1", "XYQ")
    assert money.is_currency("MYR")
    assert not money.is_currency("myr")


@given(st.integers(-(10**12), 10**12), st.sampled_from(["USD", "JPY", "KWD"]))
def test_text_and_back_is_the_same(amount: int, currency: str) -> None:
    """Writing an amount to a file and reading it again loses nothing."""
    assert money.parse(money.to_text(amount, currency), currency) == amount


@pytest.mark.parametrize(
    ("amount", "basis_points", "part"), [(250, 1000, 25), (5, 1000, 1), (4, 1000, 0), (-5, 1000, -1), (999, 2000, 200)]
)
def test_halves_are_rounded_up(amount: int, basis_points: int, part: int) -> None:
    """Half a cent becomes one, away from zero."""
    assert money.percentage(amount, basis_points) == part


@given(st.integers(0, 10**9), st.integers(1, 10**4), st.data())
def test_parts_add_up_to_the_whole(amount: int, whole: int, data: st.DataObject) -> None:
    """Differences of growing shares neither lose nor make a cent."""
    cuts = [*sorted(data.draw(st.lists(st.integers(0, whole), max_size=6))), whole]
    shares = [money.share(amount, cut, whole) for cut in cuts]

    assert shares == sorted(shares)
    assert shares[-1] == amount


def test_money_has_one_json_shape() -> None:
    """Amount in minor units and currency."""
    assert money.as_json(12999, "USD") == {"amount": 12999, "currency": "USD"}


@pytest.mark.parametrize(("rate", "text"), [(2000, "20%"), (810, "8.1%"), (1250, "12.5%"), (0, "0%"), (1000, "10%")])
def test_rates_read_well(rate: int, text: str) -> None:
    """No zeros behind the comma, no exponents."""
    assert money.format_rate(rate) == text
