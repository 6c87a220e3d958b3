"""SSCC numbers for parcels: GS1's 18 digits, with their check digit, and the barcode that carries them."""

from __future__ import annotations

from barcode import Gs1_128

COMPANY_PREFIX = "9521234"
"""GS1 sets the prefix 952 aside for examples, so these numbers are nobody's. A company puts its own prefix here."""
EXTENSION_DIGIT = "0"
SERIAL_DIGITS = 17 - len(EXTENSION_DIGIT) - len(COMPANY_PREFIX)
APPLICATION_IDENTIFIER = "00"
"""GS1's mark for "an SSCC follows"."""


def check_digit(digits: str) -> int:
    """GS1's check digit: from the right, weights 3 and 1 in turn, what is missing to the next ten."""
    weighted = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits)))
    return -weighted % 10


def sscc(serial: int) -> str:
    """The SSCC with this serial number. ValueError when the series is used up."""
    if not 0 <= serial < 10**SERIAL_DIGITS:
        raise ValueError(f"The prefix {COMPANY_PREFIX} has no SSCC with the serial number {serial}.")
    body = f"{EXTENSION_DIGIT}{COMPANY_PREFIX}{serial:0{SERIAL_DIGITS}d}"
    return f"{body}{check_digit(body)}"


def is_sscc(number: str) -> bool:
    """Whether these are 18 digits whose last one checks the others."""
    return len(number) == 18 and number.isascii() and number.isdigit() and check_digit(number[:-1]) == int(number[-1])


def readable(number: str) -> str:
    """An SSCC as it stands below its bars: `(00) 0 9521234 000000001 7`."""
    prefix_end = 1 + len(COMPANY_PREFIX)
    parts = (number[0], number[1:prefix_end], number[prefix_end:-1], number[-1])
    return f"({APPLICATION_IDENTIFIER}) {' '.join(parts)}"


def modules(number: str) -> str:
    """The GS1-128 barcode of an SSCC as bars (1) and gaps (0), a character per module. ValueError: not an SSCC."""
    if not is_sscc(number):
        raise ValueError(f"{number!r} is not an SSCC.")
    return str(Gs1_128(APPLICATION_IDENTIFIER + number).build()[0])
