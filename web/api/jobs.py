"""Jobs: what the workers do, and what gave up: tried again, or resolved by hand."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from engine.incidents import LONGEST_REASON, MOST_AT_ONCE
from engine.views import JobView
from handlers.contract import FieldError
from web.api.auth import Caller
from web.api.endpoint import Calls
from web.api.models import Input, Listing, Output, Paging, Time
from web.problems import bad_input

calls = Calls("jobs")

JobState = Literal["ready", "leased", "done", "dead", "withdrawn", "resolved"]


class JobQuery(Paging):
    """Which jobs."""

    state: JobState | None = Field(None, description="`dead` are the incidents.")
    order: str | None = Field(None, max_length=80)


class JobOut(Output):
    """One job. `dead` is an incident: it gave up and waits for a person to retry it, or to resolve it by hand."""

    id: str
    order: str
    process: str
    element: str | None
    name: str | None
    step: int | None
    kind: str
    operation: str | None
    key: str
    state: JobState
    attempts: int
    max_attempts: int
    run_at: Time
    error: str | None
    updated_at: Time


class JobList(Listing[JobOut]):
    """A page of jobs."""


class IncidentOut(Output):
    """Jobs that gave up for the same cause."""

    cause: str = Field(description="What they share: the work, the element, the error without what differs.")
    title: str = Field(description="The error of the oldest one.")
    operation: str | None
    kind: str
    element: str | None
    name: str | None
    step: int | None
    count: int
    orders: int = Field(description="How many orders are stopped.")
    oldest: Time
    newest: Time
    jobs: list[JobOut] = Field(description="The oldest of them.")


class IncidentList(Listing[IncidentOut]):
    """Every cause, the one that stops most orders first. There is one page."""


class RetryIncidents(Input):
    """Which incidents to try again: all of a cause, or these."""

    cause: str | None = Field(None, min_length=1, max_length=2000, description="The `cause` of `GET /incidents`.")
    ids: list[Annotated[str, StringConstraints(min_length=1, max_length=80)]] | None = Field(
        None, min_length=1, max_length=MOST_AT_ONCE, description="Ids of jobs."
    )


class TriedOut(Output):
    """What became of one of them."""

    id: str
    order: str | None
    problem: str | None = Field(description="Why it was not tried again; null: it is being tried.")


class TriedList(Output):
    """What became of each."""

    items: list[TriedOut]


class ResolveJob(Input):
    """What a person has done instead."""

    reason: str = Field(min_length=1, max_length=LONGEST_REASON, description="Kept in the history.")
    result: dict[str, Any] | None = Field(
        None, description="The result variable with which a token that waits for this job goes on; default `{}`."
    )


@calls.get("/jobs", permission="jobs.read", query=JobQuery, returns={200: JobList})
def list_jobs(caller: Caller, query: JobQuery) -> JobList:
    """List jobs. `?state=dead` lists the incidents."""
    page = caller.services.engine.jobs(
        state=query.state, order=query.order, limit=query.size, cursor=query.cursor
    )  # fmt: skip
    return JobList(items=[_body(job) for job in page.items], next=page.next)


@calls.post("/jobs/<id>/retry", permission="jobs.retry", returns={200: JobOut}, problems=(404, 409))
def retry_job(caller: Caller, id: str) -> JobOut:  # noqa: A002 - the path's own word
    """Try an incident again, with the same key."""
    return _body(caller.services.engine.retry(id, caller.actor))


@calls.post(
    "/jobs/<id>/resolve", permission="jobs.retry", body=ResolveJob, returns={200: JobOut}, problems=(404, 409)
)
def resolve_job(caller: Caller, id: str, body: ResolveJob) -> JobOut:  # noqa: A002 - the path's own word
    """End an incident because a person has done its work, or decided that it need not be done."""
    return _body(caller.services.engine.resolve(id, caller.actor, body.reason, body.result))


@calls.get("/incidents", permission="jobs.read", returns={200: IncidentList})
def list_incidents(caller: Caller) -> IncidentList:
    """List the open incidents by cause."""
    found = caller.services.engine.incidents()
    return IncidentList(items=[IncidentOut.model_validate(incident) for incident in found])


@calls.post("/incidents/retry", permission="jobs.retry", body=RetryIncidents, returns={200: TriedList})
def retry_incidents(caller: Caller, body: RetryIncidents) -> TriedList:
    """Try many incidents again, each with its own key; at most 500, the oldest of a cause first."""
    if (body.cause is None) == (body.ids is None):
        raise bad_input(FieldError("", "Give either `cause` or `ids`."))
    tried = caller.services.engine.retry_all(caller.actor, cause=body.cause, ids=body.ids or ())
    return TriedList(items=[TriedOut.model_validate(one) for one in tried])


def _body(job: JobView) -> JobOut:
    return JobOut.model_validate(job)
