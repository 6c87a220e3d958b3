"""Times in people's own zones: what is shown, what is read back, and the days on which clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from babel.core import Locale
from hypothesis import assume, given
from hypothesis import strategies as st

from web.local import offered_locales, offered_zones, zone_of_country
from web.times import Times, WrongTime

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
FORWARD = datetime(2026, 3, 29, 10, 0, tzinfo=UTC)
"""On this day Berlin's clocks go from 02:00 to 03:00."""
BACK = datetime(2026, 10, 25, 10, 0, tzinfo=UTC)
"""On this day they go from 03:00 to 02:00."""
ZONES = st.sampled_from(sorted(name for _, places in offered_zones() for name, _ in places))
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))


def times(zone: str = "Europe/Berlin", locale: str = "en", now: datetime = NOON) -> Times:
    return Times(now, ZoneInfo(zone), Locale.parse(locale))


@given(MOMENTS, ZONES)
def test_what_stands_in_a_field_is_read_as_the_same_moment(at: datetime, zone: str) -> None:
    """To the minute, in every zone and on every day."""
    there = times(zone)
    assume(there.local(at).fold == 0)  # of an hour that comes twice a field means the first: see below

    read = there.read(there.typed(at))

    assert timedelta(0) <= at - read < timedelta(minutes=1)


@given(MOMENTS, ZONES)
def test_the_machine_form_is_the_same_moment(at: datetime, zone: str) -> None:
    assert datetime.fromisoformat(times(zone).iso(at)) == at.replace(microsecond=0)


@given(MOMENTS, ZONES)
def test_a_moment_lies_in_its_day_and_days_leave_no_gap(at: datetime, zone: str) -> None:
    """Whatever the clocks do, today has begun and has not ended, and tomorrow begins where it ends."""
    there = times(zone, now=at)

    assert there.day_start() <= at < there.day_end()
    assert there.day_end() == there.day_start(there.today() + timedelta(days=1))


@pytest.mark.parametrize(("now", "hours"), [(FORWARD, 23), (NOON, 24), (BACK, 25)])
def test_a_day_on_which_clocks_change_has_its_own_length(now: datetime, hours: int) -> None:
    there = times(now=now)

    assert there.day_end() - there.day_start() == timedelta(hours=hours)


def test_due_today_ends_with_the_person_s_day() -> None:
    """23:30 UTC is tomorrow in Berlin, and today in New York."""
    at = NOON.replace(hour=23, minute=30)

    assert (times().due(at).group, times("America/New_York").due(at).group) == ("Tomorrow", "Today")


def test_how_long_is_left_is_counted_in_hours_that_pass() -> None:
    """From 01:30 to 03:30 is one hour on the day on which 02:00 to 03:00 is left out."""
    there = times(now=datetime(2026, 3, 29, 1, 30, tzinfo=BERLIN))

    assert there.due(datetime(2026, 3, 29, 3, 30, tzinfo=BERLIN)).rest == "in 1 h"


def test_a_time_that_comes_twice_is_shown_with_which_of_the_two_it_is() -> None:
    first, second = BACK.replace(hour=0, minute=30), BACK.replace(hour=1, minute=30)

    assert (times().clock(first), times().clock(second)) == ("02:30 CEST", "02:30 CET")
    assert times().read("2026-10-25T02:30") == first


def test_a_time_that_is_left_out_is_refused() -> None:
    """Nobody guesses which hour was meant."""
    with pytest.raises(WrongTime, match="left out"):
        times().read("2026-03-29T02:30")


@pytest.mark.parametrize("typed", ["", "soon", "2026-02-30T10:00", "9999-12-31T23:59x", "0001-01-01T00:00"])
def test_what_is_no_time_is_refused(typed: str) -> None:
    with pytest.raises(WrongTime):
        times().read(typed)


@pytest.mark.parametrize("locale", [name for name, _ in offered_locales()])
def test_every_offered_locale_can_write_every_form(locale: str) -> None:
    """So that no choice breaks a page."""
    there = times(locale=locale)

    for text in (there.stamp(NOON), there.long_day(NOON), there.day(NOON - timedelta(days=400)), there.seconds(NOON)):
        assert text.strip()
    assert there.due(NOON + timedelta(days=3)).full


@pytest.mark.parametrize(("locale", "stamp", "long_day"), [
    ("en", "Mon 23 Nov, 13:00", "Monday 23 November"),
    ("en_US", "Mon, Nov 23, 1:00\u202fPM", "Monday, November 23"),
    ("en_DE", "Mon, 23 Nov, 13:00", "Monday, 23 November"),
])  # fmt: skip
def test_a_time_is_written_by_the_locale(locale: str, stamp: str, long_day: str) -> None:
    assert (times(locale=locale).stamp(NOON), times(locale=locale).long_day(NOON)) == (stamp, long_day)


def test_a_time_inside_of_a_sentence_is_in_the_zone_too() -> None:
    assert times().in_text("Left at 2026-11-23T12:00:00Z.") == "Left at Mon 23 Nov, 13:00."


@pytest.mark.parametrize(("zone", "name"), [
    ("UTC", "UTC"), ("Europe/Berlin", "Berlin, UTC+1"), ("America/New_York", "New York, UTC−5"),
    ("Asia/Kolkata", "Kolkata, UTC+5:30"),
])  # fmt: skip
def test_the_zone_is_named_with_its_distance(zone: str, name: str) -> None:
    assert times(zone).zone_name == name


@pytest.mark.parametrize(("country", "zone"), [
    ("DE", "Europe/Berlin"), ("FI", "Europe/Helsinki"), ("US", None), ("", None),
])  # fmt: skip
def test_a_country_has_one_zone_or_none(country: str, zone: str | None) -> None:
    assert zone_of_country(country, NOON) == zone


def test_a_day_of_a_document_is_a_day() -> None:
    assert times().read_day("2026-11-23") == date(2026, 11, 23)
