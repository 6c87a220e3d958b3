"""When a failed job is tried again: a pure function of attempt, key and time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.jobs import LEASE
from handlers.contract import (
    CALL_SECONDS,
    LONGEST_AFTER,
    USUAL_RETRY,
    RetryPolicy,
    TryAgain,
    seconds_left,
    time_limit,
)
from handlers.couriers.operations import BookCourier
from handlers.messages import SendMail
from handlers.payments.operations import CapturePayment

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


def wait(attempt: int, key: str, policy: RetryPolicy = USUAL_RETRY, after: timedelta | None = None) -> timedelta:
    at = policy.next_attempt(attempt, key, NOW, allowed=attempt + 1, after=after)
    assert at is not None
    return at - NOW


def test_waiting_grows_to_five_minutes() -> None:
    """One second, two, four … at most five minutes, each with a quarter to either side."""
    for attempt in range(1, 20):
        usual = min(2 ** (attempt - 1), 300)
        waits = [wait(attempt, f"order:{n}").total_seconds() for n in range(50)]
        assert usual * 0.75 <= min(waits) < max(waits) <= usual * 1.25


def test_waiting_follows_from_the_key() -> None:
    """The same job waits the same time wherever it is asked; different jobs do not come back together."""
    assert wait(3, "a") == wait(3, "a")
    assert wait(3, "a") != wait(3, "b")


def test_after_the_last_attempt_nothing_is_tried_by_itself() -> None:
    """Then it is an incident."""
    assert USUAL_RETRY.next_attempt(7, "a", NOW, allowed=8) is not None
    assert USUAL_RETRY.next_attempt(8, "a", NOW, allowed=8) is None


def test_a_retry_after_is_kept_to_up_to_a_day() -> None:
    """Longer than our own wait it counts, shorter it does not, and nobody makes an order sleep for a week."""
    assert wait(1, "a", after=timedelta(hours=1)) == timedelta(hours=1)
    assert wait(9, "a", after=timedelta(seconds=1)) == wait(9, "a")
    assert wait(1, "a", after=timedelta(days=7)) == LONGEST_AFTER


def patience(policy: RetryPolicy) -> timedelta:
    """From the first attempt to the last."""
    return sum((wait(attempt, "a", policy) for attempt in range(1, policy.attempts)), timedelta())


def test_each_operation_is_as_patient_as_its_users() -> None:
    """A mail may take days; money and vans are somebody's business within the hour."""
    assert timedelta(days=1) < patience(SendMail.retry) < timedelta(days=2)
    assert timedelta(minutes=20) < patience(CapturePayment.retry) < timedelta(minutes=40)
    assert timedelta(minutes=40) < patience(BookCourier.retry) < timedelta(minutes=80)


@given(st.integers(1, 10_000), st.text(max_size=50), st.timedeltas(timedelta(milliseconds=1), timedelta(days=2)))
def test_no_attempt_however_late_waits_longer_than_the_policy_says(attempt: int, key: str, longest: timedelta) -> None:
    """No policy overflows or waits for ever."""
    policy = RetryPolicy(first=timedelta(hours=1), longest=longest)

    assert timedelta() < wait(attempt, key, policy) <= longest * 1.25 + timedelta(microseconds=1)


def test_a_call_outside_ends_well_before_its_lease() -> None:
    """A worker that still waits for an answer is never taken for dead."""
    assert timedelta(seconds=2 * CALL_SECONDS) <= LEASE


def test_the_calls_of_one_job_share_their_time() -> None:
    """What the first has used is gone for the second; without any left nobody is asked."""
    assert seconds_left() == CALL_SECONDS
    with time_limit(5):
        assert 0 < seconds_left() <= 5
    with time_limit(0), pytest.raises(TryAgain):
        seconds_left()
    assert seconds_left() == CALL_SECONDS
