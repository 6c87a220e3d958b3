"""Countries: which codes exist, what people call them, and which of our regions serves each."""

from __future__ import annotations

import unicodedata
from functools import cache

from babel import Locale
from babel.core import get_global

_NOT_ISO = "AC CP CQ DG EA EU EZ IC QO TA UN XA XB XK ZZ"
"""Two-letter territories of the locale data that ISO 3166-1 does not list."""

_AMERICAS = (
    "AG AI AR AW BB BL BM BO BQ BR BS BV BZ CA CL CO CR CU CW DM DO EC FK GD GF GL GP GS GT GY HN HT JM KN KY LC MF MQ "
    "MS MX NI PA PE PM PR PY SR SV SX TC TT US UY VC VE VG VI"
)
_ASIA_PACIFIC = (
    "AF AQ AS AU BD BN BT CC CK CN CX FJ FM GU HK HM ID IN IO JP KH KI KP KR LA LK MH MM MN MO MP MV MY NC NF NP NR NU "
    "NZ PF PG PH PK PN PW SB SG TF TH TK TL TO TV TW UM VN VU WF WS"
)

_ALSO = {"england": "GB", "scotland": "GB", "wales": "GB", "northern ireland": "GB", "great britain": "GB",
         "u.s.a.": "US", "united states of america": "US", "u.k.": "GB", "holland": "NL", "viet nam": "VN",
         "czech republic": "CZ", "republic of korea": "KR", "korea": "KR", "russian federation": "RU", "burma": "MM",
         "swaziland": "SZ", "ivory coast": "CI", "macedonia": "MK", "turkey": "TR", "cape verde": "CV",
         "deutschland": "DE"}  # fmt: skip


@cache
def names() -> dict[str, str]:
    """The English name of every ISO 3166-1 alpha-2 code, by code."""
    other = _NOT_ISO.split()
    territories = {str(code): str(name) for code, name in Locale("en").territories.items()}
    return {
        code: name
        for code, name in sorted(territories.items())
        if len(code) == 2 and code.isalpha() and code not in other
    }


@cache
def by_name() -> tuple[tuple[str, str], ...]:
    """Code and English name of every country, in the order of a list of names."""
    return tuple(sorted(names().items(), key=lambda entry: _fold(entry[1])))


def country_name(code: str) -> str:
    """`DE` → `Germany`; a code that does not exist stays as it is."""
    return names().get(code, code)


def find_country(text: str) -> str | None:
    """The ISO 3166-1 alpha-2 code of a country given as code (two or three letters) or English name, else None."""
    word = _fold(text)
    code = word.upper()
    return code if code in names() else _by_word().get(word)


def serving_region(country: str) -> str:
    """The stock region that serves a country when the order names none."""
    if country in _AMERICAS.split():
        return "north_america"
    return "malaysia" if country in _ASIA_PACIFIC.split() else "europe"


@cache
def _by_word() -> dict[str, str]:
    words = {}
    for alias, codes in get_global("territory_aliases").items():
        if alias.isalpha() and len(codes) == 1 and codes[0] in names():
            words[alias.casefold()] = codes[0]
    words.update({_fold(name): code for code, name in names().items()})
    return words | _ALSO


def _fold(text: str) -> str:
    """Without accents, case and surplus blanks; `&` read as `and`."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return " ".join(plain.casefold().replace("&", "and").replace("’", "'").split())
