"""The access review for machines."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from web.access_review import review
from web.api.auth import Caller
from web.api.endpoint import Calls
from web.api.models import Money, Output, Query, Time

calls = Calls("gates")
_When = Annotated[datetime, Field(description="RFC 3339 with an offset, or in UTC.")]


class ReviewQuery(Query):
    """Which moment and which period."""

    at: _When | None = Field(None, description="The moment; now.")
    since: _When | None = Field(None, description="From when on signatures are counted, until `at`; 90 days.")


class RightOut(Output):
    """One person who could sign one gate, and why."""

    process: str
    element: str
    gate: str
    step: int | None
    team: str
    person: str
    display_name: str
    lent_by: str | None = Field(description="Whose right it was, under a delegation; null: their own.")
    lent_until: Time | None
    delegation: str | None
    up_to: Money | None = Field(description="What an order may be worth at most, under that delegation.")


class UsedOut(Output):
    """How often one person signed in the period."""

    person: str
    display_name: str
    signed: int = Field(description="Every signature, those of the next two numbers too.")
    for_others: int
    overrides: int
    refused: int = Field(description="Attempts that were refused.")
    last: Time | None


class ReviewOut(Output):
    """Who could sign what at a moment, and who signed in the period that ends with it."""

    at: Time
    since: Time
    rights: list[RightOut]
    used: list[UsedOut]


@calls.get("/access-review", permission="access.review", query=ReviewQuery, returns={200: ReviewOut})
def access_review(caller: Caller, query: ReviewQuery) -> ReviewOut:
    """Who could sign which gate at a moment and for which reason, and who signed how often. People are as the journal
    has them at that moment."""
    return ReviewOut.model_validate(review(caller.services.engine, query.at, query.since))
