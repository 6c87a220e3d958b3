"""The words by which an order is found: folded, so that case, accents and punctuation play no part."""

from __future__ import annotations

import re
import unicodedata

LONGEST = 60
"""Characters of a word that are kept; what somebody looks for is cut the same way."""
_BETWEEN = re.compile(r"[\s\-.,;:@/'’+&()#]+")
_SHORTEST_END = 3
"""Digits by which the end of an order's number is found."""


def words(text: str) -> tuple[str, ...]:
    """The words of a text, each once: “Hansen & Söhne” is hansen, sohne."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return tuple(dict.fromkeys(word[:LONGEST] for word in _BETWEEN.split(plain) if word))


def words_of_order(number: str, *texts: str | None) -> tuple[str, ...]:
    """The words of an order: those of the texts, and the digits of its number with each of their ends."""
    digits = re.sub(r"\D", "", number)
    ends = (digits[start:] for start in range(max(1, len(digits) - _SHORTEST_END + 1)))
    found = (*ends, *(word for text in texts for word in words(text or "")))
    return tuple(dict.fromkeys(word for word in found if word))
