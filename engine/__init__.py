"""Runs diagrams durably. The only package that imports SpiffWorkflow; knows no order and no Flask.

`Engine` is the whole interface: its methods are the commands and the reads. Each command is one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy.orm import Session

from engine.definitions import Bundle
from engine.errors import Finding
from engine.store.database import Database
from engine.views import (
    Actor, Decision, DiagramView, EventView, InstanceStatus, InstanceView, JobState, JobView, Page, TaskDetail, TaskView, VersionView,
)
from handlers.contract import Clock, Registry


class Engine:
    def __init__(self, database: Database, registry: Registry, clock: Clock, *, teams: Mapping[str, str] | None = None) -> None: ...

    # --- transactions ---
    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """One write transaction that several commands can join with `session=`; commits at the end, wakes workers after."""
    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A read-only session."""

    # --- definitions ---
    def check(self, bundle: Bundle) -> list[Finding]: ...
    def deploy(self, bundle: Bundle, actor: Actor, *, origin: str = "folder", reason: str = "", base_version: int | None = None, session=None) -> list[VersionView]:
        """CannotDeploy, StaleBase. Deploying what is deployed already changes nothing and returns the newest version."""
    def versions(self, key: str | None = None) -> list[VersionView]: ...

    # --- commands ---
    def start(self, process: str, business_key: str, actor: Actor, *, submit: Mapping[str, Any] | None = None, variables: Mapping[str, Any] | None = None, session=None) -> tuple[InstanceView, bool]:
        """Starts an instance; the same business key again returns the one that is there and False.
        With `submit` the first user task is completed with it in the same transaction (InvalidForm: nothing is stored)."""
    def claim(self, task_id: str, actor: Actor) -> TaskView: ...
    def release(self, task_id: str, actor: Actor) -> TaskView: ...
    def assign(self, task_id: str, actor: Actor, to: Actor) -> TaskView: ...
    def save_draft(self, task_id: str, actor: Actor, data: Any) -> TaskView: ...
    def complete(self, task_id: str, actor: Actor, data: Mapping[str, Any], *, revision: int | None = None) -> TaskView:
        """InvalidForm, TakenByAnother, AlreadyDone, StaleRevision, NotAllowed, NotFound."""
    def decide(self, task_id: str, actor: Actor, decision: Decision, *, comment: str, snapshot: str, send_back_to: int | None = None) -> tuple[TaskView, int, int]:
        """Signs a gate; returns the task, signatures there and needed. The caller has re-authenticated the actor."""
    def deliver(self, name: str, business_key: str, payload: Mapping[str, Any], *, source: str, message_id: str, session=None) -> bool:
        """Stores a message and matches it, now or later. False when it was stored before."""
    def cancel(self, business_key: str, actor: Actor, reason: str) -> InstanceView:
        """TooLate after a `commits` element; cancelling again changes nothing."""
    def retry(self, job_id: str, actor: Actor) -> JobView: ...

    # --- work ---
    def work(self, *, limit: int | None = None) -> int:
        """Runs jobs that are due, one after the other; returns how many. Used by the worker and by tests."""
    def next_due(self): """When the next ready job falls due, or None."""
    on_wakeup: Callable[[], None] | None

    # --- reads ---
    def tasks(self, actor: Actor, *, team: str | None = None, mine: bool = False, order: str | None = None, step: int | None = None, q: str | None = None, overdue: bool = False, limit: int = 50, cursor: str | None = None) -> Page[TaskView]: ...
    def task_counts(self, actor: Actor) -> dict[str, int]:
        """`all`, `mine`, `today`, `late`, and per team `team:sales` etc."""
    def task(self, task_id: str, actor: Actor) -> TaskDetail: ...
    def instance(self, business_key: str) -> InstanceView: ...
    def instances(self, process: str, *, statuses: Sequence[InstanceStatus] = (), keys: Sequence[str] | None = None, q: str | None = None, limit: int = 50, cursor: str | None = None) -> Page[InstanceView]:
        """Newest first."""
    def order_tasks(self, business_key: str) -> list[TaskView]:
        """Every task of an instance, open first, then newest; for staff who may read orders."""
    def history(self, business_key: str) -> list[EventView]: ...
    def diagrams(self, business_key: str) -> list[DiagramView]:
        """The process and, when it was cancelled, the cancellation, with marks."""
    def jobs(self, *, state: JobState | None = None, order: str | None = None, limit: int = 50, cursor: str | None = None) -> Page[JobView]: ...
    def job(self, job_id: str) -> JobView: ...
    def waiting_for(self, message: str) -> list[str]:
        """Business keys of the instances that wait for a message of this name."""
    def steps(self, process: str) -> list[tuple[int, str, str | None]]:
        """Number, name and team (None: automatic) of the steps of the newest version."""
    def verify_audit(self, business_key: str | None = None) -> list[str]:
        """Checks the hash chains; returns what is wrong, a line each."""
