"""Reading what a scanner sends: prefixes and separators off, SSCCs known by their form and their check digit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers import barcodes
from handlers.scanned import read_code

SSCC = barcodes.sscc(123_456_789)


@pytest.mark.parametrize("written", [
    SSCC, f"00{SSCC}", f"(00){SSCC}", f"(00) {SSCC}", f"]C100{SSCC}", f"]C1{SSCC}", f"]C1\x1d00{SSCC}", f"\x1d00{SSCC}",
    f"]d200{SSCC}", f" {SSCC}\r\n", barcodes.readable(SSCC), f"]C100{SSCC}400ORDER7", f"(00){SSCC}(400)ORDER7",
])  # fmt: skip
def test_an_sscc_is_known_however_it_is_written(written: str) -> None:
    """With its identifier or without, with the mark of its barcode, with more GS1 fields behind, as it stands below."""
    code = read_code(written)

    assert (code.sscc, code.misread) == (SSCC, False)


@given(st.integers(0, 10**barcodes.SERIAL_DIGITS - 1), st.integers(0, 17), st.integers(1, 9))
def test_a_misread_digit_is_said(serial: int, place: int, shift: int) -> None:
    """Whichever it is, with the identifier before it."""
    number = barcodes.sscc(serial)
    wrong = number[:place] + str((int(number[place]) + shift) % 10) + number[place + 1 :]

    assert read_code(f"]C100{wrong}").misread


@pytest.mark.parametrize(("written", "text"), [
    ("WB-10001", "WB-10001"), (" product-a \r", "product-a"), ("]A0product-a", "product-a"),
    ("]Q1WB-10001", "WB-10001"), ("00123", "00123"), (SSCC[:17], SSCC[:17]), (f"{SSCC}9", f"{SSCC}9"),
    (f"00{SSCC}400ORDER7", f"00{SSCC}400ORDER7"), ("٠" * 18, "٠" * 18), ("]", "]"),
])  # fmt: skip
def test_what_is_no_sscc_is_a_text(written: str, text: str) -> None:
    """Other lengths, other scripts' digits, and digits behind it that no mark explains."""
    code = read_code(written)

    assert (code.text, code.sscc, code.misread) == (text, None, False)
