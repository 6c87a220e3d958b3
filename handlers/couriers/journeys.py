"""What an embedded courier does with a booking after it has taken it: a plan, and the reports that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

Pickup = Literal["on_time", "late", "never"]
Ending = Literal["delivered", "lost", "refused", "returned", "silent"]

PICKUP_AFTER = timedelta(hours=3)
LATE_PICKUP_AFTER = timedelta(hours=30)
"""Later than the day for which the diagram waits."""
DELAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Plan:
    """What will happen to one booking."""

    pickup: Pickup = "on_time"
    delayed: bool = False
    """It reports a delay under way and arrives a day later."""
    ending: Ending = "delivered"
    """`silent`: nothing is heard after the first report."""
    proof: bool = True
    """Whether somebody signed."""
    twice: bool = False
    """Every webhook is sent a second time, with the same id."""
    out_of_order: bool = False
    """Each second report is sent before the one it follows; its `at` stays true."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """One message that a courier wants to deliver. The same id may come more than once."""

    id: str
    name: str
    """courier.picked_up or courier.reported."""
    order: str
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happens to a booking, and when the courier sends word of it."""

    status: str
    """As in `handlers.tables.TrackingReport.status`."""
    at: datetime
    send_at: datetime
    place: str
    note: str


def journey(plan: Plan, *, booked_at: datetime, days: int, scale: float, city: str) -> list[Happening]:
    """Everything that will happen to a booking, in the order in which it happens.

    `days` is the courier's promise. `scale` stretches all times: 1 is real life, 1/3600 makes an hour a second.
    """
    if plan.pickup == "never":
        return []
    after = LATE_PICKUP_AFTER if plan.pickup == "late" else PICKUP_AFTER
    way = timedelta(days=days)
    # status, time since booking, place, note
    steps: list[tuple[str, timedelta, str, str]] = [
        ("picked_up", after, "Warehouse", ""),
        ("on_the_way", after + way * 0.3, "Sorting centre", ""),
    ]
    if plan.ending != "silent":
        if plan.delayed:
            steps.append(("delayed", after + way * 0.5, "Sorting centre", "Held up by the weather."))
            after += DELAY
        steps += _last_steps(plan.ending, after, way, city)
    happenings = [
        Happening(status, booked_at + since * scale, booked_at + since * scale, place, note)
        for status, since, place, note in steps
    ]
    return _swapped(happenings) if plan.out_of_order else happenings


def _last_steps(ending: Ending, after: timedelta, way: timedelta, city: str) -> list[tuple[str, timedelta, str, str]]:
    out = ("out_for_delivery", after + way * 0.8, city, "")
    if ending == "delivered":
        return [out, ("delivered", after + way, city, "")]
    if ending == "refused":
        return [out, ("refused", after + way, city, "The recipient did not accept it.")]
    if ending == "returned":
        return [out, ("returned", after + way * 2, "Warehouse", "Nobody was there three times; it comes back.")]
    return [("lost", after + way * 1.5, "Sorting centre", "Not found after a search.")]


def _swapped(happenings: list[Happening]) -> list[Happening]:
    """Each second report after the pickup is held back until just after the next one was sent."""
    return [
        replace(happening, send_at=happenings[place + 1].send_at + timedelta(microseconds=1))
        if place % 2 == 1 and place + 1 < len(happenings)
        else happening
        for place, happening in enumerate(happenings)
    ]
