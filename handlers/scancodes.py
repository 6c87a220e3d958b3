"""Codes that a scanner reads, as plain patterns which the documents draw themselves with exact module widths.

A one-dimensional code is a string of modules (`1` a bar, `0` a gap), a QR code a list of such rows. Quiet zones are
left to the document that draws it. Drawn narrower than 0.4 mm a module, an office printer's code does not scan.
"""

from __future__ import annotations

from typing import Any

import segno
from barcode.codex import Code128

_LONGEST_BARS = 24
"""Characters of Code 128 that fit across a page at 0.4 mm a module."""


def qr(text: str) -> list[str]:
    """A QR code's rows, with medium error correction."""
    return ["".join("1" if dark else "0" for dark in row) for row in segno.make_qr(text, error="m").matrix]


def scannable(text: str) -> dict[str, Any]:
    """`{"bars": …}` for a text such as an order number, or `{"qr": …}` where bars do not fit."""
    if text.isascii() and text.isprintable() and len(text) <= _LONGEST_BARS:
        return {"bars": str(Code128(text).build()[0])}
    return {"qr": qr(text)}
