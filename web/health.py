"""For whoever watches the house: `/healthz` (alive), `/readyz` (database and worker answer), `/metrics` (Prometheus).

`/metrics` is open to this machine itself; from elsewhere, and through a proxy, it needs a bearer token.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from time import perf_counter

import structlog
from flask import Flask, Response, g, jsonify, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from engine.errors import DatabaseTrouble
from web import problems, queries
from web.auth import current_person
from web.permissions import PUBLIC, permission
from web.services import Services, current_services

log = structlog.get_logger(__name__)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def register_health(app: Flask) -> None:
    """Adds the three addresses and measures every request."""
    registry = CollectorRegistry()
    registry.register(ShopCollector(app))
    seconds = Histogram(
        "waybill_request_seconds", "How long requests took.", ("method", "route", "status"), registry=registry
    )

    @permission(PUBLIC)
    def metrics() -> Response:
        if not _from_this_machine() and current_person() is None:
            return problems.response(problems.ApiProblem("not-signed-in"))
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    app.add_url_rule("/healthz", "healthz", healthz)
    app.add_url_rule("/readyz", "readyz", readyz)
    app.add_url_rule("/metrics", "metrics", metrics)

    @app.before_request
    def start() -> None:
        g.started = perf_counter()

    @app.after_request
    def stop(response: Response) -> Response:
        # the rule, not the path: one time series per address, not one per order
        route = request.url_rule.rule if request.url_rule else "none"
        taken = perf_counter() - g.get("started", perf_counter())
        method = request.method if request.method in _METHODS else "other"  # anybody may invent methods
        seconds.labels(method, route, str(response.status_code)).observe(taken)
        return response


@permission(PUBLIC)
def healthz() -> Response:
    """The process is alive and answers."""
    return jsonify(status="alive")


@permission(PUBLIC)
def readyz() -> Response | tuple[Response, int]:
    """Orders can be worked on: the database answers and takes what is written, and a worker is there."""
    services = current_services()
    database = _database_answers(services)
    parts = {"database": database, "worker": database and services.worker_alive()}  # the database may know who works
    if all(parts.values()):
        return jsonify(status="ready", **parts)
    return jsonify(status="not ready", **parts), 503


def _database_answers(services: Services) -> bool:
    try:
        services.database.check()
    except DatabaseTrouble as trouble:
        log.error("not ready", trouble=trouble.sentence, cause=trouble.cause)  # noqa: TRY400 - says all there is
        return False
    return True


def _from_this_machine() -> bool:
    """A request of this machine's own; one that a proxy on this machine passes on is not."""
    if {"X-Forwarded-For", "Forwarded", "X-Real-Ip", "Via"} & {name.title() for name, _ in request.headers}:
        return False
    try:
        return ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False


class ShopCollector(Collector):
    """Counts orders, tasks and jobs when they are asked for: four statements a scrape."""

    def __init__(self, app: Flask) -> None:
        self._app = app

    def describe(self) -> list[GaugeMetricFamily]:
        """Nothing yet: without it, registering would ask the database."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        services: Services = self._app.extensions["waybill"]
        with services.engine.reading() as session:
            states = queries.state_counts(session)
            teams = queries.team_counts(session, services.clock.now())
            jobs = queries.job_counts(session)
        orders = GaugeMetricFamily("waybill_orders", "Orders by state.", labels=("state",))
        for state in ("open", "cancelling", "closed", "cancelled"):
            orders.add_metric((state,), states.get(state, 0))
        yield orders
        open_tasks = GaugeMetricFamily("waybill_open_tasks", "Open tasks by team.", labels=("team",))
        late_tasks = GaugeMetricFamily(
            "waybill_late_tasks", "Open tasks past their due time, by team.", labels=("team",)
        )
        for team, (count, late) in sorted(teams.items()):
            open_tasks.add_metric((team,), count)
            late_tasks.add_metric((team,), late)
        yield open_tasks
        yield late_tasks
        by_state = GaugeMetricFamily("waybill_jobs", "Jobs by state; dead ones are incidents.", labels=("state",))
        for state in ("ready", "leased", "done", "dead", "withdrawn"):
            by_state.add_metric((state,), jobs.get(state, 0))
        yield by_state
        sealed = services.engine.last_seal()
        if sealed is not None:
            age = (services.clock.now() - sealed.at).total_seconds()
            yield GaugeMetricFamily("waybill_seal_age_seconds", "How long ago the histories were sealed.", value=age)
