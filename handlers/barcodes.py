"""Barcodes as plain patterns, which the documents draw themselves with exact module widths.

A one-dimensional code is a string of modules (`1` a bar, `0` a gap), a QR code a list of such rows. Quiet zones are left to
the document that draws it. Drawn narrower than 0.4 mm a module, a code from an office printer does not scan.
"""

from __future__ import annotations

from typing import Any

import segno
from barcode.codex import Code128, Gs1_128

_LONGEST_BARS = 24
"""Characters of Code 128 that fit across a page at 0.4 mm a module."""


def sscc_bars(sscc: str) -> str:
    """The GS1-128 code of a Serial Shipping Container Code: FNC1, application identifier 00, the 18 digits."""
    check_sscc(sscc)
    return str(Gs1_128("00" + sscc).build()[0])


def sscc_text(sscc: str) -> str:
    """What stands under the bars for people to read or type."""
    return f"(00) {sscc[0]} {sscc[1:8]} {sscc[8:17]} {sscc[17]}"


def check_sscc(sscc: str) -> None:
    """Raises ValueError unless it is 18 digits of which the last is GS1's check digit of the others."""
    if len(sscc) != 18 or not (sscc.isascii() and sscc.isdigit()):
        raise ValueError(f"An SSCC has 18 digits; {sscc!r} has not.")
    weighted = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(sscc[:17]))
    if (10 - weighted % 10) % 10 != int(sscc[17]):
        raise ValueError(f"The check digit of SSCC {sscc} is wrong.")


def qr(text: str) -> list[str]:
    """A QR code's rows, with medium error correction."""
    return ["".join("1" if dark else "0" for dark in row) for row in segno.make_qr(text, error="m").matrix]


def scannable(text: str) -> dict[str, Any]:
    """The code for a text such as an order number: bars where they fit, else a QR code. `{"bars": …}` or `{"qr": …}`."""
    if text.isascii() and text.isprintable() and len(text) <= _LONGEST_BARS:
        return {"bars": str(Code128(text).build()[0])}
    return {"qr": qr(text)}
