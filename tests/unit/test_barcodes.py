"""SSCC numbers and their barcode."""

from __future__ import annotations

import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st

from handlers import barcodes


@pytest.mark.parametrize(
    ("digits", "check"),
    [("10614141192837465", 7), ("00614141123456789", 0), ("00000000000000000", 0), ("629104150021", 3)],
)
def test_the_check_digit_is_gs1s(digits: str, check: int) -> None:
    """Published examples of GS1 (two SSCCs, nothing, a GTIN) come out."""
    assert barcodes.check_digit(digits) == check


@given(st.integers(0, 10**barcodes.SERIAL_DIGITS - 1))
def test_every_number_we_give_is_an_sscc(serial: int) -> None:
    """18 digits, our prefix, a right check digit."""
    number = barcodes.sscc(serial)

    assert barcodes.is_sscc(number)
    assert number.startswith(barcodes.EXTENSION_DIGIT + barcodes.COMPANY_PREFIX)


@given(st.integers(0, 10**barcodes.SERIAL_DIGITS - 1), st.integers(0, 17), st.integers(1, 9))
def test_one_wrong_digit_is_noticed(serial: int, place: int, shift: int) -> None:
    """That is what the check digit is for."""
    number = barcodes.sscc(serial)
    wrong = number[:place] + str((int(number[place]) + shift) % 10) + number[place + 1 :]

    assert not barcodes.is_sscc(wrong)


@pytest.mark.parametrize("text", ["", "1", "09521234000000001X", "٠" * 18, "0952123400000000190"])
def test_what_is_not_18_digits_is_no_sscc(text: str) -> None:
    """Letters, other scripts' digits and other lengths are refused, also by the barcode."""
    assert not barcodes.is_sscc(text)
    with pytest.raises(ValueError, match="not an SSCC"):
        barcodes.modules(text)


def test_a_used_up_series_is_an_error() -> None:
    """Better no number than one given twice."""
    with pytest.raises(ValueError, match="9521234"):
        barcodes.sscc(10**barcodes.SERIAL_DIGITS)


def test_the_number_is_readable_in_groups() -> None:
    """As it stands below the bars."""
    assert barcodes.readable(barcodes.sscc(1)) == "(00) 0 9521234 000000001 3"


def test_a_scanner_reads_the_barcode_as_gs1() -> None:
    """FNC1, the application identifier 00 and the 18 digits."""
    number = barcodes.sscc(123_456_789)
    quiet = "0" * 12
    row = bytes(0 if module == "1" else 255 for module in quiet + barcodes.modules(number) + quiet for _ in range(3))
    image = memoryview(row * 60).cast("B", (60, len(row)))

    (found,) = zxingcpp.read_barcodes(image)

    assert found.text == f"(00){number}"
    assert found.content_type == zxingcpp.ContentType.GS1
