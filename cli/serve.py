"""`waybill run`, `web`, `worker`: the processes of an installation."""

from __future__ import annotations

import ctypes
import errno
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

import click

from app import Counterparties, Parts, create_app
from cli.dispatch import Dispatcher, dispatcher, waking
from cli.installation import installation
from cli.server import WebServer
from demo.dice import Dice
from demo.live import SEED, Live, scale_of
from demo.outside import CourierWorld
from demo.turn import Turn
from engine.errors import DatabaseTrouble
from settings import DEMO_TURN, Settings, WrongSetting, load
from web.accounts import DEMO_PASSWORD, users

_M_ARENA_MAX = -8
"""glibc's mallopt parameter (malloc.h): how many heaps threads share among themselves."""


def few_heaps() -> None:
    """Lets all threads share two heaps. glibc gives each its own: a server of 16 threads keeps 150 MB for nothing."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library has no such thing to set
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)


class _Stop(KeyboardInterrupt):
    """A signal asked the process to end. Of this kind, because the server's loop swallows every other exception."""


@contextmanager
def _until_signal() -> Iterator[None]:
    """Ends the block when SIGTERM or SIGINT arrives, so that everything in it is closed in order."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not cut short what is being finished
        raise _Stop

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    with suppress(_Stop):
        yield
    click.echo("Stopped.")


@contextmanager
def _opened(settings: Settings) -> Iterator[Parts]:
    """The installation, with the simulated companies of a live demo: quick, and without what only days would end."""
    if not settings.demo:
        outside = None
    else:
        world = CourierWorld(Dice(SEED), calm=True)
        outside = Counterparties(
            plan=world.plan, courier_faults=world.fault, courier_scale=scale_of(settings.demo_speed)
        )
    with installation(settings, counterparties=outside) as parts:
        yield parts


@contextmanager
def _working(parts: Parts, worker: Dispatcher) -> Iterator[None]:
    """Runs the worker, and in the demo the world outside; lets both finish what they are at."""
    live = None
    if parts.settings.demo:
        var = parts.settings.var
        live = Live(parts.engine, parts.ports, parts.clock, speed=parts.settings.demo_speed,
                    opened=var / "demo-opened", turn=Turn(var / DEMO_TURN))
    try:
        worker.start()
        if live is not None:
            live.start()
        yield
    finally:
        click.echo("Stopping; what is running is finished.")
        if live is not None:
            live.stop()
        worker.stop()


@click.command()
@click.option("--demo", "as_demo", is_flag=True, help="With demo users and a simulated world; on loopback only.")
def run(as_demo: bool) -> None:
    """Serve the pages and work in the background, in one process."""
    few_heaps()
    settings = load(demo=True) if as_demo else load()
    settings.require_secret_key()
    with _until_signal(), _opened(settings) as parts:
        worker = dispatcher(parts)
        with _listening(parts, worker.alive) as server, _working(parts, worker):
            _greet(parts)
            server.run()


@click.command()
def web() -> None:
    """Serve the pages and the API only; workers run by themselves."""
    few_heaps()
    settings = load()
    settings.require_secret_key()
    with (
        _until_signal(), _opened(settings) as parts, waking(parts),
        _listening(parts, lambda: _somebody_works(parts)) as server,
    ):
        _greet(parts)
        server.run()
        click.echo("Stopping; what is running is finished.")


def _somebody_works(parts: Parts) -> bool:
    """Whether the workers, which run by themselves, leave nothing lying."""
    try:
        return not parts.engine.nobody_works()
    except DatabaseTrouble:
        return False  # nobody can, without it


@click.command()
def worker() -> None:
    """Do the background work only; in the demo, also play the bank, the couriers and new customers."""
    with _until_signal(), _opened(load()) as parts, _working(parts, dispatcher(parts)):
        click.echo("Working.")
        threading.Event().wait()


@contextmanager
def _listening(parts: Parts, worker_alive: Callable[[], bool]) -> Iterator[WebServer]:
    """The web server, which has its port and waits to be run."""
    settings = parts.settings
    app = create_app(parts=parts, worker_alive=worker_alive)
    try:
        server = WebServer(app, host=settings.host, port=settings.port)
    except ValueError:
        raise WrongSetting(f"WAYBILL_HOST cannot be used: {settings.host} is no address of a machine.") from None
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            raise WrongSetting(f"WAYBILL_HOST cannot be used: {settings.host} is not this machine's address.") from None
        raise WrongSetting(
            f"Port {settings.port} cannot be used ({error.strerror}): choose another with PORT."
        ) from None
    try:
        yield server
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
