"""Jobs: what the workers do, and what gave up."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from engine.views import JobView
from web.api.auth import Caller
from web.api.endpoint import Calls
from web.api.models import Listing, Output, Paging, Time

calls = Calls("jobs")

JobState = Literal["ready", "leased", "done", "dead", "withdrawn"]


class JobQuery(Paging):
    """Which jobs."""

    state: JobState | None = Field(None, description="`dead` are the incidents.")
    order: str | None = Field(None, max_length=80)


class JobOut(Output):
    """One job. `dead` is an incident: it gave up and waits for a person to retry it."""

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


def _body(job: JobView) -> JobOut:
    return JobOut.model_validate(job)
