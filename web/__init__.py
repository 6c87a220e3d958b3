"""Pages and API: what people and other systems see of Waybill. Knows no SpiffWorkflow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from flask import Flask

from web.accounts.teams import TeamBook
from web.rate import Rate
from web.services import KEY, Services

if TYPE_CHECKING:
    from engine import Engine
    from engine.store.database import Database
    from handlers.contract import Clock
    from handlers.ports import Ports
    from settings import Settings

MAX_BODY = 8 * 1024 * 1024
"""Bytes of any request; single calls set less."""
MAX_FORM = 4 * 1024 * 1024
"""Bytes of a posted HTML form's fields. A text of a megabyte still fits, so that its own field is named."""


def create_web(
    engine: Engine,
    database: Database,
    ports: Ports,
    settings: Settings,
    clock: Clock,
    *,
    worker_alive: Callable[[], bool] | None = None,
) -> Flask:
    """The Flask app over the parts that `app.py` has made."""
    from web.accounts.sessions import IDLE
    from web.api import register_api
    from web.assets import init_assets
    from web.auth import init_auth
    from web.headers import init_headers
    from web.pages.routes import init_pages
    from web.texts import init_texts

    app = Flask(__name__)
    services = Services(
        engine, database, ports, settings, clock, TeamBook(database), api_calls=Rate(settings.api_calls_per_minute)
    )
    app.extensions[KEY] = services if worker_alive is None else replace(services, worker_alive=worker_alive)
    app.config.update(
        SECRET_KEY=settings.secret_key,
        SESSION_COOKIE_NAME="waybill",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=ports.public_url.startswith("https://"),
        PERMANENT_SESSION_LIFETIME=IDLE,
        MAX_CONTENT_LENGTH=MAX_BODY,
        MAX_FORM_MEMORY_SIZE=MAX_FORM,
        MAX_FORM_PARTS=5000,
    )
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    init_texts(app)
    init_headers(app)
    init_assets(app)
    init_auth(app)
    init_pages(app)
    register_api(app)
    return app
