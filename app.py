"""Chooses the parts of Waybill and joins them: the only module that knows which implementation stands behind a port."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog
from flask import Flask
from sqlalchemy import select

import migrations
from demo.clock import DemoClock
from engine import SYSTEM, Bundle, Database, Engine
from engine.errors import StaleBase
from engine.folders import built_on
from engine.store.once import hold_key
from handlers import registry
from handlers.catalogue import demo_catalogue, take_catalogue
from handlers.contract import Clock, SystemClock
from handlers.couriers.embedded import EmbeddedCourier, Faults, Plans
from handlers.couriers.journeys import Plan
from handlers.couriers.profiles import PROFILES
from handlers.documents import FileStore, Renderer
from handlers.mail import MailTransport, OutboxTransport, SmtpTransport
from handlers.payments.embedded import EmbeddedProvider
from handlers.payments.embedded import Fault as PaymentFault
from handlers.ports import Ports
from handlers.tables import Product
from settings import ROOT, Settings, WrongSetting, load
from web import create_web
from web.accounts import active_people, demo_users, users, working_teams
from web.accounts.away import Absences
from web.accounts.directory import AccountsDirectory

BUNDLE = (ROOT / "processes", ROOT / "forms")
"""The folders that are deployed together."""
OF_THE_FOLDER = "the folder of this installation"
"""Why a version was made when nobody gives a reason of their own."""


@dataclass(frozen=True)
class Counterparties:
    """What simulated outside companies do on demand; the demo and tests set it, a real installation leaves it."""

    plan: Plans = lambda _order, _courier: Plan()
    courier_faults: Faults = lambda _method, _key: None
    payment_faults: Callable[[str, str], PaymentFault | None] | None = None
    courier_scale: float = 1.0
    """1: a courier's hour is an hour."""


@dataclass(frozen=True)
class Parts:
    """An installation in one process."""

    settings: Settings
    clock: Clock
    database: Database
    ports: Ports
    engine: Engine


def configure_logging() -> None:
    """Log lines go to standard error. A traceback shows no local variables: they hold passwords and addresses."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
        ],
        logger_factory=lambda *_names: structlog.PrintLogger(sys.stderr),
    )


def build(
    settings: Settings, *, clock: Clock | None = None, counterparties: Counterparties | None = None
) -> Parts:
    """Joins the parts. Changes nothing in the database yet; call `prepare` before the first command.

    Without a `clock`, a demo has its own, which all processes of its data folder share, and every other installation
    the machine's.
    """
    configure_logging()
    settings.require_restored()
    var = settings.var
    clock = clock or (DemoClock(var / "demo-clock") if settings.demo else SystemClock())
    outside = counterparties or Counterparties()
    ledgers = var / "outside"
    mail: MailTransport = SmtpTransport(settings.smtp_url) if settings.smtp_url else OutboxTransport(var / "outbox")
    ports = Ports(
        payments=EmbeddedProvider(ledgers / "payments.db", clock, faults=outside.payment_faults),
        couriers={
            code: EmbeddedCourier(
                code, profile, ledgers / "couriers.db", clock, plan=outside.plan, faults=outside.courier_faults,
                scale=outside.courier_scale,
            )
            for code, profile in PROFILES.items()
        },
        mail=mail,
        staff=AccountsDirectory(),
        renderer=Renderer(ROOT / "documents"),
        files=FileStore(var / "documents"),
        public_url=settings.site,
        clock=clock,
    )
    try:
        database = Database(settings.database)
    except OSError as error:
        raise WrongSetting(
            f"WAYBILL_DATABASE_URL cannot be used: its folder cannot be made ({error.strerror})."
        ) from None
    engine = Engine(database, registry(ports), clock, consent_needed=settings.consent)
    engine.teams = lambda: working_teams(database)
    engine.tells = "staff.mail"
    engine.directory = active_people
    engine.absences = Absences()
    engine.claims_end_after = timedelta(hours=settings.claim_hours)
    return Parts(settings, clock, database, ports, engine)


def prepare(parts: Parts, *, reason: str = OF_THE_FOLDER) -> str | None:
    """Makes an installation ready for commands: tables, process, and in demo mode people and catalogue.

    Returns a sentence when the folder's process could not be deployed because somebody deployed a newer version; the
    newest deployed one goes on. DatabaseBehind on a PostgreSQL that wants `waybill db upgrade`.
    """
    parts.settings.var.mkdir(parents=True, exist_ok=True)
    if parts.database.is_sqlite:
        migrations.upgrade(parts.database)
    else:
        migrations.require_current(parts.database)
    return install(parts, reason=reason)


def install(parts: Parts, *, reason: str = OF_THE_FOLDER) -> str | None:
    """Deploys the folder's process when it has changed, and in demo mode makes people and catalogue. See `prepare`."""
    warning = None
    try:
        parts.engine.deploy(Bundle.from_folders(*BUNDLE), SYSTEM, reason=reason,
                            built_on=built_on(BUNDLE[0]))
    except StaleBase as stale:
        warning = str(stale)
    if parts.settings.demo:
        _demo_data(parts)
    return warning


def _demo_data(parts: Parts) -> None:
    """Demo people and catalogue. WrongSetting when real people work here: their shop must not become a demo."""
    with parts.engine.transaction() as session:
        hold_key(session, "demo data")  # several processes may be started at once
        people = users(session)  # before the mark is looked for: another process may be writing both
        if not parts.settings.is_marked_demo:
            if people:
                raise WrongSetting("People have accounts here, so this is no demo: choose another WAYBILL_VAR.")
            parts.settings.mark_demo()
        demo_users(session, parts.engine.note_in_journal)
        if session.execute(select(Product.sku).limit(1)).first() is None:
            take_catalogue(session, demo_catalogue(), parts.clock.now())


def create_app(
    settings: Settings | None = None, *, parts: Parts | None = None,
    worker_alive: Callable[[], bool] | None = None,
) -> Flask:
    """The web application. With `settings` alone it builds and prepares its own parts."""
    if parts is None:
        parts = build(settings or load())
        prepare(parts)
    parts.settings.require_secret_key()
    return create_web(
        parts.engine, parts.database, parts.ports, parts.settings, parts.clock, worker_alive=worker_alive
    )
