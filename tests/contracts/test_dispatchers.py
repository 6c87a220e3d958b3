"""What whoever runs the jobs owes the house: threads that look for themselves, and workers woken through a broker."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import update

from engine import Bundle, Database, Engine, Worker, distributed, worker
from engine.distributed import CeleryWorker
from engine.store.tables import Job
from engine.views import SYSTEM
from engine.wakeups import BrokerRefuses, queue_name
from handlers.contract import Call, External, build_registry
from tests.broker import BROKER, BrokerLine, require_broker, wipe
from tests.clock import MovableClock
from tests.troubles import away

PATIENCE = 60
"""Seconds until a test gives up."""
BPMN = """<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"
  xmlns:spiffworkflow="http://spiffworkflow.org/bpmn/schema/1.0/core" id="d" targetNamespace="urn:test">
  <process id="call_somebody" name="Call somebody" isExecutable="true">
    <startEvent id="began"><outgoing>f1</outgoing></startEvent>
    <serviceTask id="call" name="Call"><extensionElements>
      <spiffworkflow:serviceTaskOperator id="desk.call"><parameters/></spiffworkflow:serviceTaskOperator>
    </extensionElements><incoming>f1</incoming><outgoing>f2</outgoing></serviceTask>
    <intermediateCatchEvent id="later" name="A day later"><incoming>f2</incoming><outgoing>f3</outgoing>
      <timerEventDefinition id="t"><timeDuration>"P1D"</timeDuration></timerEventDefinition></intermediateCatchEvent>
    <endEvent id="over" name="Over"><incoming>f3</incoming></endEvent>
    <sequenceFlow id="f1" sourceRef="began" targetRef="call"/>
    <sequenceFlow id="f2" sourceRef="call" targetRef="later"/>
    <sequenceFlow id="f3" sourceRef="later" targetRef="over"/>
  </process>
</definitions>"""


class Desk:
    """Somebody outside who takes calls, and lets a caller wait if a test wants it."""

    def __init__(self) -> None:
        self.answers = threading.Event()
        self.answers.set()
        self.called = threading.Event()
        self.calls: list[str] = []


@dataclass(frozen=True)
class Said:
    words: str


class CallDesk(External):
    """Calls, and waits for the answer."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def prepare(self, call: Call) -> Said:
        return Said("Hello")

    def perform(self, arguments: Said, key: str) -> Said:
        self._desk.calls.append(key)
        self._desk.called.set()
        assert self._desk.answers.wait(PATIENCE)
        return arguments

    def record(self, call: Call, arguments: Said, result: Said) -> Mapping[str, Any] | None:
        return None


class Office:
    """An engine, whoever runs its jobs, and the desk they call."""

    def __init__(self, engine: Engine, desk: Desk, made: Callable[[Engine], Worker | CeleryWorker]) -> None:
        self.engine, self.desk = engine, desk
        self.dispatcher = made(engine)

    def orders(self, number: str) -> None:
        self.engine.start("call_somebody", number, SYSTEM)

    def called(self, number: str) -> bool:
        """The answer of the first step has been used; the order waits for its timer."""
        return [job.kind for job in self.engine.jobs(state="done").items if job.order == number] == ["operation"]

    def until(self, true: Callable[[], bool], what: str) -> None:
        limit = time.monotonic() + PATIENCE
        while not true():
            assert time.monotonic() < limit, f"never {what}"
            time.sleep(0.02)


@pytest.fixture
def line() -> Iterator[BrokerLine]:
    require_broker()
    line = BrokerLine()
    yield line
    line.cut()


@pytest.fixture(params=["threads", pytest.param("broker", marks=pytest.mark.broker)])
def office(request: pytest.FixtureRequest, database: Database, clock: MovableClock) -> Iterator[Office]:
    """With each kind of dispatcher, which has not started yet."""
    desk = Desk()
    engine = Engine(database, build_registry(desk, {"desk.call": CallDesk}), clock)
    engine.deploy(Bundle({"processes/call.bpmn": BPMN.encode()}), SYSTEM)
    if request.param == "threads":
        office = Office(engine, desk, lambda engine: Worker(engine, threads=2))
    else:
        url = request.getfixturevalue("line").url
        office = Office(engine, desk, lambda engine: CeleryWorker(engine, url, threads=2))
    yield office
    desk.answers.set()
    office.dispatcher.stop()
    if request.param == "broker":
        wipe(queue_name(engine))


BROKER_ONLY = pytest.mark.parametrize("office", [pytest.param("broker", marks=pytest.mark.broker)], indirect=True)


def test_a_job_is_taken_as_soon_as_it_is_there(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit that leaves work wakes somebody; nobody had to look."""
    monkeypatch.setattr(worker, "IDLE_SECONDS", 3600)
    monkeypatch.setattr(distributed, "SWEEP_SECONDS", 3600)
    office.dispatcher.start()

    for number in ("A-1", "A-2"):
        office.orders(number)
        office.until(lambda number=number: office.called(number), "woken")

    assert office.dispatcher.alive()


def test_a_timer_is_taken_when_it_is_due(office: Office, clock: MovableClock) -> None:
    """Nobody is woken for it: it is found."""
    office.dispatcher.start()
    office.orders("A-1")
    office.until(lambda: office.called("A-1"), "called")

    clock.advance(days=1, seconds=2)

    office.until(lambda: office.engine.instance("A-1").status == "closed", "gone on")


def test_what_a_dead_worker_held_is_taken_over(office: Office) -> None:
    """Its lease has ended: the job is done by somebody else, once."""
    office.orders("A-1")
    dead = office.engine.claim_next()
    assert dead is not None
    with office.engine.transaction() as session:
        session.execute(update(Job).where(Job.id == dead.id)
                        .values(lease_until=datetime.now(UTC) - timedelta(seconds=1)))

    office.dispatcher.start()

    office.until(lambda: office.called("A-1"), "taken over")
    assert office.desk.calls == [dead.key]


def test_who_is_told_to_stop_finishes_what_is_running(office: Office) -> None:
    """The call under way is answered and its answer is used; what came later stays for the next."""
    office.desk.answers.clear()
    office.dispatcher.start()
    office.orders("A-1")
    assert office.desk.called.wait(PATIENCE)

    stopping = threading.Thread(target=office.dispatcher.stop)
    stopping.start()
    office.desk.answers.set()
    stopping.join(PATIENCE)
    office.orders("A-2")

    assert not stopping.is_alive()
    assert office.called("A-1")
    assert office.engine.held() == 0
    assert len(office.desk.calls) == 1


def test_a_database_that_was_away_is_gone_back_to(office: Office) -> None:
    """Nobody has to start anything again."""
    office.desk.answers.clear()
    office.dispatcher.start()
    office.orders("A-1")
    assert office.desk.called.wait(PATIENCE)

    with away(office.engine.database):
        office.desk.answers.set()
        time.sleep(1)  # long enough for the answer to find nobody; longer changes nothing
    with office.engine.transaction() as session:  # the lease of what could not be written has ended
        session.execute(update(Job).where(Job.state == "leased")
                        .values(lease_until=datetime.now(UTC) - timedelta(seconds=1)))
    office.orders("A-2")

    office.until(lambda: office.called("A-1") and office.called("A-2"), "gone on")
    assert office.engine.jobs(state="dead").items == ()


@BROKER_ONLY
def test_a_broker_that_is_away_stops_nobody(office: Office, clock: MovableClock, line: BrokerLine) -> None:
    """Without it jobs are found; when it is back, workers are woken again, and nothing was started anew."""
    line.cut()
    office.dispatcher.start()
    office.orders("A-1")
    clock.advance(seconds=2)
    office.until(lambda: office.called("A-1"), "found without a broker")

    line.join()
    assert isinstance(office.dispatcher, CeleryWorker)
    assert office.dispatcher._ear.reading.wait(PATIENCE)
    line.cut()
    office.orders("A-2")
    clock.advance(seconds=2)
    office.until(lambda: office.called("A-2"), "found when the broker went away")
    line.join()
    assert office.dispatcher._ear.reading.wait(PATIENCE)


@BROKER_ONLY
def test_a_wiped_broker_loses_nothing(office: Office, clock: MovableClock) -> None:
    """The queue is deleted again and again, with whatever is in it: every order goes on."""
    office.dispatcher.start()
    numbers = [f"A-{n}" for n in range(10)]
    for number in numbers:
        office.orders(number)
        wipe(queue_name(office.engine))
    clock.advance(seconds=2)

    office.until(lambda: all(office.called(number) for number in numbers), "all gone on")
    assert len(office.desk.calls) == len(numbers)


@BROKER_ONLY
def test_a_broker_that_lets_nobody_in_is_said_at_the_start(office: Office) -> None:
    """A wrong password is no broker that may come back; it is named, and not repeated."""
    parts = urlsplit(BROKER)
    wrong = parts._replace(netloc=f"{parts.username}:hush@{parts.hostname}:{parts.port or 5672}").geturl()

    with pytest.raises(BrokerRefuses, match=r"^WAYBILL_BROKER_URL cannot be used: ") as refused:
        CeleryWorker(office.engine, wrong).start()

    assert "hush" not in str(refused.value)


def test_histories_are_sealed_once_a_day(office: Office) -> None:
    """By whoever runs the jobs; nobody has to ask for it."""
    office.dispatcher.start()

    office.until(lambda: office.engine.last_seal() is not None, "sealed")


def test_without_a_broker_nothing_of_it_is_loaded() -> None:
    """Commands start as quickly as before, and a broker's library that is broken breaks nobody who has none."""
    code = "import sys, cli; print({'celery', 'kombu', 'amqp'} & set(sys.modules))"

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=PATIENCE)

    assert said.stdout == "set()\n"
