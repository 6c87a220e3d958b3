"""Words for tests of the API: the app over the real engine, and a client for each person."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event
from standardwebhooks import Webhook
from werkzeug.test import TestResponse

import app
from engine import Database, Engine
from engine.base import Library
from settings import load
from tests.clock import MovableClock
from web import accounts
from web.services import KEY

SECRET = "whsec_" + base64.b64encode(b"a secret of some thirty-two bytes").decode()
BASE = "/api/v1"


def order_body(**changes: Any) -> dict[str, Any]:
    """A complete order with details that step 2 finds right."""
    return {
        "customer": {"name": "Mia Tanaka", "email": "mia.tanaka@example.com", "phone": "+1 212 736 3100"},
        "shipping_address": {
            "street": "350 Fifth Avenue", "city": "New York", "region": "NY", "postal_code": "10118", "country": "US",
        },
        "items": [{"sku": "product-a", "quantity": 2}],
        "payment_method": "credit_card",
        "shipping_method": "standard",
        **changes,
    }  # fmt: skip


@dataclass
class Caller:
    """One person with a bearer token."""

    client: FlaskClient
    token: str | None

    def call(self, method: str, path: str, **options: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        headers |= options.pop("headers", {})
        return self.client.open(
            path if path.startswith("/api") else BASE + path, method=method, headers=headers, **options
        )

    def get(self, path: str, **query: Any) -> TestResponse:
        return self.call("GET", path, query_string=query)

    def post(self, path: str, body: Any = None, **options: Any) -> TestResponse:
        return self.call("POST", path, **({"json": body} if body is not None else {}), **options)

    def put(self, path: str, body: Any) -> TestResponse:
        return self.call("PUT", path, json=body)


@dataclass
class World:
    """A shop with its people, reached by the API."""

    app: Flask
    engine: Engine
    database: Database
    clock: MovableClock
    wall_clock: MovableClock
    tokens: dict[str, str] = field(default_factory=dict)

    def of(self, name: str | None) -> Caller:
        """The person of that name; None for a stranger."""
        if name is None:
            return Caller(self.app.test_client(), None)
        if name not in self.tokens:
            with self.database.write() as session:
                self.tokens[name] = accounts.create_token(session, name, self.clock.now())
        return Caller(self.app.test_client(), self.tokens[name])

    def place(self, **changes: Any) -> str:
        """Sales places an order; its number."""
        answer = self.of("sales").post("/orders", order_body(**changes))
        assert answer.status_code == 201, answer.get_data(as_text=True)
        return str(answer.json["number"])

    def work(self) -> None:
        """The worker does what is due."""
        while self.engine.work():
            pass

    def task_of(self, order: str, who: str = "owner") -> dict[str, Any]:
        """The order's open task, whole."""
        rows = self.of(who).get("/tasks", order=order).json["items"]
        assert len(rows) == 1, rows
        return dict(self.of(who).get(f"/tasks/{rows[0]['id']}").json)

    def send(
        self, name: str, body: Any, *, message_id: str | None = None, off: timedelta = timedelta()
    ) -> TestResponse:
        """A signed message of somebody outside."""
        raw = json.dumps(body)
        at = self.wall_clock.now() + off
        message_id = body.get("id", "") if message_id is None else message_id
        headers = {
            "webhook-id": message_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": Webhook(SECRET).sign(message_id, at, raw),
        }
        return self.of(None).call(
            "POST", f"/messages/{name}", data=raw, content_type="application/json", headers=headers
        )

    @contextmanager
    def statements(self) -> Iterator[list[str]]:
        """Collects the SQL statements of the block."""
        seen: list[str] = []

        def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
            seen.append(statement)

        event.listen(self.database.engine, "before_cursor_execute", note)
        try:
            yield seen
        finally:
            event.remove(self.database.engine, "before_cursor_execute", note)


def open_shop(database_url: str, clock: MovableClock, folder: Path, *, installed: Library | None = None) -> World:
    """An installation: the shipped processes, stocked shelves, the demo's people.

    Into an empty database it is installed; `installed` are the parsed processes of the database that this one is a
    copy of.
    """
    settings = load(
        var=folder / "var",
        demo=True,
        database_url=database_url,
        webhook_secret=SECRET,
        public_url="https://shop.example",
    )
    parts = app.build(settings, clock=clock)
    if installed is None:
        app.install(parts)
    else:
        parts.engine.library = installed
    flask = app.create_app(parts=parts)
    wall_clock = MovableClock(clock.now())
    flask.extensions[KEY] = replace(flask.extensions[KEY], wall_clock=wall_clock)
    flask.config["TESTING"] = True
    return World(flask, parts.engine, parts.database, clock, wall_clock)
