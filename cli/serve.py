"""`waybill run`, `web`, `worker`: the processes of an installation."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click
import structlog
from waitress.server import create_server

from app import Counterparties, Parts, build, create_app, prepare
from demo.dice import Dice
from demo.live import SEED, Live, scale_of
from demo.outside import CourierWorld
from engine import Worker
from settings import Settings, WrongSetting, load
from web.accounts import DEMO_PASSWORD, users

WEB_THREADS = 8


class _Stop(Exception):
    """A signal asked the process to end."""


@contextmanager
def _until_signal() -> Iterator[None]:
    """Ends the block when SIGTERM or SIGINT arrives, so that everything below is closed in order."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise _Stop

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    except _Stop:
        pass
    finally:
        for number in before:
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not cut short what is being finished


def _logging() -> None:
    structlog.configure(processors=[
        structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info, structlog.dev.ConsoleRenderer(colors=False),
    ])


def _open(settings: Settings, outside: Counterparties | None = None) -> Parts:
    parts = build(settings, counterparties=outside)
    warning = prepare(parts)
    if warning:
        click.echo(f"Warning: {warning}", err=True)
    return parts


def _counterparties(settings: Settings) -> Counterparties | None:
    """The simulated companies of a live demo: quick, and without what only a timer of days would end."""
    if not settings.demo:
        return None
    world = CourierWorld(Dice(SEED), calm=True)
    return Counterparties(
        plan=world.plan, courier_faults=world.fault, courier_scale=scale_of(settings.demo_speed)
    )


@click.command()
@click.option("--demo", "as_demo", is_flag=True, help="With demo users and a simulated world; on loopback only.")
def run(as_demo: bool) -> None:
    """Serve the pages and work in the background, in one process."""
    _logging()
    settings = load(demo=True) if as_demo else load()
    settings.require_secret_key()
    parts = _open(settings, _counterparties(settings))
    worker = Worker(parts.engine, threads=settings.worker_threads)
    live = Live(parts.engine, parts.ports, parts.clock, speed=settings.demo_speed) if settings.demo else None
    try:
        with _until_signal():
            _serve(parts, worker, live)
    finally:
        click.echo("Stopping; what is running is finished.")
        if live is not None:
            live.stop()
        worker.stop()
        parts.database.dispose()


def _serve(parts: Parts, worker: Worker | None, live: Live | None) -> None:
    settings = parts.settings
    app = create_app(parts=parts, worker_alive=worker.alive if worker else None)
    try:
        server = create_server(app, host=settings.host, port=settings.port, threads=WEB_THREADS, ident="waybill",
                               channel_timeout=60, max_request_body_size=16 * 1024 * 1024)
    except OSError as error:
        raise WrongSetting(
            f"Port {settings.port} cannot be used ({error.strerror}): choose another with PORT."
        ) from None
    if worker is not None:
        worker.start()
    if live is not None:
        live.start()
    _greet(parts)
    try:
        server.run()
    finally:
        server.close()


def _greet(parts: Parts) -> None:
    click.echo(f"Waybill serves {parts.settings.site}")
    if parts.settings.demo:
        with parts.engine.reading() as session:
            names = ", ".join(user.name for user in users(session))
        click.echo("Demo. Nothing is really shipped or charged.")
        click.echo(f"Users: {names}")
        click.echo(f"Password of each: {DEMO_PASSWORD}")


@click.command()
def web() -> None:
    """Serve the pages and the API only; workers run by themselves."""
    _logging()
    settings = load()
    settings.require_secret_key()
    parts = _open(settings)
    try:
        with _until_signal():
            _serve(parts, None, None)
    finally:
        parts.database.dispose()


@click.command()
def worker() -> None:
    """Do the background work only."""
    _logging()
    settings = load()
    parts = _open(settings, _counterparties(settings))
    workers = Worker(parts.engine, threads=settings.worker_threads)
    try:
        with _until_signal():
            workers.start()
            click.echo("Working.")
            threading.Event().wait()
    finally:
        click.echo("Stopping; what is running is finished.")
        workers.stop()
        parts.database.dispose()
