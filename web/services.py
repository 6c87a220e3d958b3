"""What every page and call works with: one object, made once in `app.py`, found at `app.extensions["waybill"]`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flask import current_app

from handlers.contract import Clock, SystemClock
from web.attempts import Attempts
from web.errands import Errands
from web.rate import Rate

if TYPE_CHECKING:
    from engine import Engine
    from engine.store.database import Database
    from handlers.ports import Ports
    from settings import Settings
    from web.accounts.teams import TeamBook

KEY = "waybill"


def _always() -> bool:
    return True


@dataclass(frozen=True)
class Services:
    """The parts that `app.py` has joined. Nothing of it changes after the start."""

    engine: Engine
    database: Database
    ports: Ports
    settings: Settings
    clock: Clock
    """The shop's time; tests and the demo move it."""
    teams: TeamBook
    wall_clock: Clock = field(default_factory=SystemClock)
    """The time of the world outside. Signed webhooks and wrong passwords are judged by it, because senders and guessers
    do not move with the demo's clock."""
    worker_alive: Callable[[], bool] = _always
    """Whether a worker has given a sign of life lately; `/readyz` asks it."""
    signing: Attempts = field(default_factory=Attempts)
    """Wrong passwords and codes of people who sign or change their account, and wrong codes at the sign-in; counted per
    person, shared by pages and API."""
    errands: Errands = field(default_factory=Errands)
    """What is done after the answer has left."""
    api_calls: Rate = field(default_factory=lambda: Rate(6000))
    """Calls of the API, counted per token and session."""


def current_services() -> Services:
    """The services of the app that answers this request."""
    services: Services = current_app.extensions[KEY]
    return services
