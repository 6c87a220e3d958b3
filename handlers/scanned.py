"""What a scanner has read, or a person has typed off a label: without the marks of its barcode, and whether it is an
SSCC."""

from __future__ import annotations

import re
from dataclasses import dataclass

from handlers.barcodes import APPLICATION_IDENTIFIER, check_digit

LONGEST_CODE = 200
"""Characters; what is longer is no code of ours."""
_SYMBOLOGY = re.compile(r"\][A-Za-z][0-9A-Za-z]")
"""AIM's mark of the kind of barcode, which many scanners send first: `]C1` is GS1-128, `]Q3` a GS1 QR code."""
_GS1 = ("]C1", "]e0", "]d2", "]Q3")
_SEPARATORS = re.compile(r"[\x00-\x1f\x7f]")
"""FNC1 inside a code comes as the control character 29."""
_DIGITS = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class Scanned:
    """One code."""

    text: str
    """What it says, without prefix, separators and blanks around it."""
    sscc: str | None = None
    """The 18 digits, when it has the form of an SSCC."""
    misread: bool = False
    """Its check digit does not fit its digits: one of them was read wrongly, or typed wrongly."""

    @property
    def digits(self) -> int:
        """How many digits it has; 0 when it is not made of digits alone."""
        return len(self.text) if self.text.isascii() and self.text.isdigit() else 0


def read_code(raw: str) -> Scanned:
    """A code as it was scanned or typed: `WB-10001`, `]C100` and 18 digits, or `(00) 0 9521234 000000001 3`."""
    text = raw.strip()
    mark = text[:3] if _SYMBOLOGY.match(text) else ""
    text = _SEPARATORS.sub("", text[len(mark) :]).strip()
    number = _sscc(re.sub(r"[\s()]", "", text), marked=mark in _GS1 or text.startswith(f"({APPLICATION_IDENTIFIER})"))
    if number is None:
        return Scanned(text)
    return Scanned(text, number, check_digit(number[:-1]) != int(number[-1]))


def _sscc(plain: str, *, marked: bool) -> str | None:
    """18 digits, alone or after their application identifier; in a marked GS1 code more may follow them."""
    if not _DIGITS.match(plain):
        return None
    after = plain.removeprefix(APPLICATION_IDENTIFIER)
    if _DIGITS.fullmatch(plain) and len(plain) == 18:
        return plain
    if plain != after and _DIGITS.fullmatch(after[:18]) and (len(after) == 18 or (marked and len(after) > 18)):
        return after[:18]
    return None
