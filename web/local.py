"""Where the reader is: the time zone and the locale by which a page writes times, numbers and texts.

A locale is a language and a region, `en_DE`: the language chooses the texts, the region how dates and numbers are
written. A person's own choice comes first, then the company's settings.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, available_timezones

from babel.core import Locale, get_global
from babel.localedata import locale_identifiers
from flask import g, has_request_context, request

from engine.errors import DatabaseTrouble

if TYPE_CHECKING:
    from settings import Settings
    from web.auth import Person

UTC_NAME = "UTC"
ENGLISH = "en"


@dataclass(frozen=True, slots=True)
class Local:
    """A reader's time zone and locale."""

    zone: tzinfo
    locale: Locale


PLAIN = Local(ZoneInfo(UTC_NAME), Locale.parse(ENGLISH))
"""Outside of a page, and for calls of the API: machines read the same everywhere."""


def local() -> Local:
    """The zone and locale of whoever reads the page that is being made."""
    if not has_request_context() or request.blueprint == "api":
        return PLAIN
    if "local" not in g:
        from web.auth import current_person
        from web.services import current_services

        settings = current_services().settings
        try:
            g.local = _of(current_person(), settings)
        except DatabaseTrouble:
            return _of(None, settings)  # the page that says so is written for whoever reads it
    found: Local = g.local
    return found


def forget() -> None:
    """The person has signed in or out, or chosen anew: what was found for this request no longer holds."""
    for kept in ("local", "times"):
        g.pop(kept, None)


def _of(person: Person | None, settings: Settings) -> Local:
    zone = person.time_zone if person else None
    locale = person.locale if person else None
    # a choice may be older than this machine's list of zones, or than a language that was taken out
    return Local(
        ZoneInfo(zone if zone in zones() else settings.time_zone),
        Locale.parse(locale if locale and is_locale(locale) else settings.locale),
    )


@cache
def zones() -> frozenset[str]:
    """Every time zone there is, by its name: `Europe/Berlin`."""
    return frozenset(available_timezones())


@cache
def offered_zones() -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """The zones to choose from, by continent: (continent, ((name, place), …)). Old names of a zone are left out."""
    known = get_global("zone_territories")
    found: dict[str, list[tuple[str, str]]] = {}
    for name in sorted(zones()):
        continent, _, place = name.partition("/")
        if place and known.get(name, "ZZ") not in ("001", "ZZ"):
            found.setdefault(continent, []).append((name, place.replace("_", " ").replace("/", ", ")))
    return tuple((continent, tuple(places)) for continent, places in found.items())


def is_locale(name: str) -> bool:
    """Whether the pages can be written by that locale: it exists, and its language has texts."""
    from web.texts import languages

    return name in _identifiers() and Locale.parse(name).language in languages()


@cache
def _identifiers() -> frozenset[str]:
    return frozenset(locale_identifiers())


@cache
def offered_locales() -> tuple[tuple[str, str], ...]:
    """The locales to choose from, with the name each gives itself: (`en_DE`, `English (Germany)`)."""
    from web.texts import languages

    return tuple(_named(languages()))


def _named(languages: Iterable[str]) -> Iterable[tuple[str, str]]:
    for language in languages:
        yield language, str(Locale.parse(language).get_display_name())
        found = [
            Locale.parse(name)
            for name in locale_identifiers()
            if name.partition("_")[0] == language and len(name.split("_")) == 2 and name.split("_")[1].isupper()
        ]
        regions = [locale for locale in found if locale.territory and locale.territory.isalpha()]
        yield from sorted(((str(one), str(one.get_display_name())) for one in regions), key=lambda named: named[1])


def zone_of_country(country: str, now: datetime) -> str | None:
    """The zone of a country whose clocks all show the same this year, by its two letters; None where they differ."""
    found = [name for name in get_global("territory_zones").get(country, ()) if name in zones()]
    half_a_year = timedelta(days=182)
    clocks = {
        tuple(moment.astimezone(ZoneInfo(name)).utcoffset() for moment in (now, now + half_a_year)) for name in found
    }
    return found[0] if len(clocks) == 1 else None
