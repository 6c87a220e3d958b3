"""Processes of one installation that all want the same at the same moment."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import app
from engine.views import Actor
from settings import load
from tests.clock import MovableClock
from tests.scenarios.shop import ORDER, PEOPLE, Shop

CORRECT = {name: ORDER[name] for name in ("name", "email", "phone", "street", "city", "postal_code", "country")}
PATIENCE = 120
"""Seconds until a rival that says nothing has failed."""
_FROM_NEW = multiprocessing.get_context("forkserver")
"""Rivals share no connection, no lock and no thread with the test; what they import is imported once."""
_FROM_NEW.set_forkserver_preload(["tests.processes.rivals"])


@dataclass(frozen=True)
class Place:
    """Where an installation is, in words that another process understands."""

    var: Path
    url: str
    now: datetime

    def opened(self) -> Shop:
        """The installation, opened in this process."""
        clock = MovableClock(self.now)
        parts = app.build(load(var=self.var, demo=True, database_url=self.url), clock=clock)
        parts.ports.renderer.pdf = _quick_pdf  # type: ignore[method-assign]
        return Shop(parts, clock)


def _quick_pdf(name: str, data: Any) -> bytes:
    return b"%PDF- " + name.encode()


def at_once(place: Place, work: Callable[[Shop, Any], Any], shares: Sequence[Any]) -> list[Any]:
    """Gives each share to a process of its own; all begin at the same moment. What each returned, in order.

    What a rival raises is returned as text.
    """
    start, answers = _FROM_NEW.Barrier(len(shares)), _FROM_NEW.Queue()
    rivals = [_FROM_NEW.Process(target=_rival, args=(place, work, n, share, start, answers))
              for n, share in enumerate(shares)]
    for rival in rivals:
        rival.start()
    try:
        found = dict(answers.get(timeout=PATIENCE) for _ in rivals)
        for rival in rivals:
            rival.join(PATIENCE)
    finally:
        for rival in rivals:
            rival.kill()
    return [found[n] for n in range(len(shares))]


def _rival(place: Place, work: Callable[[Shop, Any], Any], number: int, share: Any, start: Any, answers: Any) -> None:
    try:
        shop = place.opened()
        with shop.engine.reading() as session:
            shop.engine.library.newest(session, "order_fulfillment")  # nobody reads diagrams when the race is on
        start.wait(PATIENCE)
        answer = work(shop, share)
    except Exception as error:  # noqa: BLE001 - the test wants to read it
        answer = f"{type(error).__name__}: {error}"
    answers.put((number, answer))


# --- what rivals do ---------------------------------------------------------------------------------------------------


def corrects_details(shop: Shop, tasks: list[str]) -> list[str]:
    """Confirms the customers' details; the orders go on to their reservation. Returns what failed."""
    return [line for line in completes(shop, ("sales", tasks)) if line]


def works(shop: Shop, jobs: int) -> list[str]:
    """Does what is due."""
    shop.engine.work(limit=jobs)
    return []


def completes(shop: Shop, share: tuple[str, list[str]]) -> list[str]:
    """One person completes these tasks; an empty line for each that was theirs, else what they were told."""
    who, tasks = share
    return _attempts(tasks, lambda task: shop.engine.complete(task, _named(who), CORRECT))


def claims(shop: Shop, share: tuple[str, list[str]]) -> list[str]:
    """One person takes these tasks."""
    who, tasks = share
    return _attempts(tasks, lambda task: shop.engine.claim(task, _named(who)))


def signs(shop: Shop, share: tuple[str, str, str, list[str]]) -> list[str]:
    """One approver decides these gates."""
    who, decision, comment, tasks = share

    def sign(task: str) -> None:
        page = shop.engine.task(task, PEOPLE[who]).approval
        assert page is not None
        shop.engine.decide(task, PEOPLE[who], decision, comment=comment, snapshot=page.snapshot)  # type: ignore[arg-type]

    return _attempts(tasks, sign)


def _named(who: str) -> Actor:
    return PEOPLE.get(who) or Actor(who, frozenset(["sales"]))


def _attempts(tasks: list[str], attempt: Callable[[str], Any]) -> list[str]:
    said = []
    for task in tasks:
        try:
            attempt(task)
            said.append("")
        except Exception as error:  # noqa: BLE001 - the test wants to read it
            said.append(f"{type(error).__name__}: {error}")
    return said
