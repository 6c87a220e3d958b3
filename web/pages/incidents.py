"""Incidents: jobs that gave up, by cause, with a retry that does nothing twice."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Blueprint, flash, redirect, request, url_for

from engine.errors import Conflict, EngineError, NotFound
from engine.views import JobView
from web import incoming, queries
from web.auth import safe_next
from web.pages.shell import me, page_of
from web.permissions import permission
from web.services import current_services

_MOST = 500
_VARYING = re.compile(r"\b(WB-\d+|[0-9a-f]{8}-[0-9a-f-]{27}|\d+)\b")


@dataclass(frozen=True, slots=True)
class Cause:
    """Jobs that gave up for the same reason."""

    title: str
    operation: str | None
    step: int | None
    name: str | None
    kind: str
    jobs: tuple[JobView, ...]

    @property
    def orders(self) -> int:
        return len({job.order for job in self.jobs})

    @property
    def first(self) -> datetime:
        return min(job.updated_at for job in self.jobs)

    @property
    def last(self) -> datetime:
        return max(job.updated_at for job in self.jobs)


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/incidents", "incidents", show)
    pages.add_url_rule("/incidents/retry", "retry_jobs", retry, methods=["POST"])


@permission("jobs.read")
def show() -> Any:
    """Incidents by cause, the cause that stops most orders first."""
    services = current_services()
    page = services.engine.jobs(state="dead", limit=_MOST)
    with services.database.read() as session:
        customers = queries.customers(session, (job.order for job in page.items))
        unused = incoming.all_unused(session)
    return page_of(
        "incidents.html",
        section="incidents",
        causes=causes(page.items),
        count=len(page.items),
        more=page.next is not None,
        customers=customers,
        unused=unused,
    )


@permission("jobs.retry")
def retry() -> Any:
    """Tries jobs again, each with its own key."""
    engine, actor = current_services().engine, me().actor
    tried, gone = 0, 0
    for job_id in request.form.getlist("job")[:_MOST]:
        try:
            engine.retry(job_id, actor)
            tried += 1
        except (Conflict, NotFound):
            gone += 1
        except EngineError as refused:
            flash(str(refused), "bad")
    if tried:
        flash("It is being tried again." if tried == 1 else f"{tried} jobs are being tried again.")
    if gone:
        flash(f"{gone} of them had been tried already." if tried else "This was tried again already.")
    return redirect(safe_next(request.form.get("back")) or url_for("pages.incidents"), 303)


def causes(jobs: Iterable[JobView]) -> list[Cause]:
    """Jobs by operation, step and error; numbers in the error make no difference."""
    groups: dict[tuple[str | None, int | None, str], list[JobView]] = {}
    for job in jobs:
        groups.setdefault((job.operation, job.step, _VARYING.sub("#", title_of(job))), []).append(job)
    found = [
        Cause(title_of(group[0]), operation, step, group[0].name, group[0].kind, tuple(group))
        for (operation, step, _), group in groups.items()
    ]
    return sorted(found, key=lambda cause: (-cause.orders, cause.first))


def title_of(job: JobView) -> str:
    """The first line of what went wrong."""
    lines = (job.error or "").strip().splitlines()
    return lines[0][:200] if lines else f"{job.operation or job.kind} gave up"
