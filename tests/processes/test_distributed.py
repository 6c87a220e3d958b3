"""Several web and worker processes on PostgreSQL and RabbitMQ; some are killed while the broker breaks down."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, make_url, text

from app import build
from engine.wakeups import queue_name
from settings import load
from tests.broker import BrokerLine, require_broker, wipe
from tests.conftest import POSTGRES
from tests.processes.house import PATIENCE, House
from tests.processes.test_demo_process import ENDED

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.broker]


class Company:
    """A demo installation of many processes, and a look into its database."""

    def __init__(self, house: House, database: Engine, line: BrokerLine) -> None:
        self.house, self.database, self.line = house, database, line
        self.owners: set[str] = set()
        """Processes that were seen with a job: machine and process number."""

    def ask(self, statement: str) -> list[Any]:
        with self.database.connect() as connection:
            return list(connection.execute(text(statement)))

    def until(self, true: Callable[[], bool], what: str, *, patience: float = PATIENCE) -> None:
        """Waits for what the processes bring about, and notes meanwhile who works."""
        limit = time.monotonic() + patience
        while not true():
            assert time.monotonic() < limit, f"never {what}"
            held = self.ask("select distinct lease_owner from job where state = 'leased'")
            self.owners |= {owner.rsplit(":", 1)[0] for (owner,) in held}
            time.sleep(0.02)

    def ended(self) -> int:
        [(count,)] = self.ask("select count(*) from instance where ended_at is not null")
        return int(count)

    def queue(self) -> str:
        """The name of this installation's queue."""
        parts = build(load(var=self.house.var, demo=True, database_url=self.house.variables["WAYBILL_DATABASE_URL"]))
        try:
            return queue_name(parts.engine)
        finally:
            parts.database.dispose()


@pytest.fixture
def company(request: pytest.FixtureRequest, house: House) -> Iterator[Company]:
    """An installation with tables and nobody at work yet."""
    require_broker()
    request.getfixturevalue("postgres_url")  # skips where none answers
    server = create_engine(POSTGRES, isolation_level="AUTOCOMMIT")
    name = f"waybill_many_{uuid.uuid4().hex[:12]}"
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    url = make_url(POSTGRES).set(database=name)
    line = BrokerLine()
    house.variables |= {"WAYBILL_DATABASE_URL": url.render_as_string(hide_password=False), "WAYBILL_DEMO": "1",
                        "WAYBILL_BROKER_URL": line.url, "WAYBILL_DEMO_SPEED": "0"}
    database = create_engine(url)
    assert house.does("db", "upgrade")[0] == 0
    company = Company(house, database, line)
    yield company
    house.end()
    line.cut()
    wipe(company.queue())
    database.dispose()
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


def test_killed_processes_and_a_lost_broker_lose_nothing(company: Company) -> None:
    """Two web and three worker processes; one of each is killed, the broker goes away and comes back empty: every order
    of the demo ends, no invariant is broken, and several workers have had a part in it."""
    house, line = company.house, company.line
    webs = [house.serves("web") for _ in range(2)]
    workers = [house.start("worker") for _ in range(3)]
    demo = house.start("demo", "--orders", "8", "--seed", "7")
    company.until(lambda: company.ended() >= 2, "had an order ended")
    for process in (webs[0].process, workers[0]):
        process.kill()
    line.cut()
    wipe(company.queue())
    before = company.ended()
    company.until(lambda: company.ended() > before, "gone on without the broker")
    line.join()
    company.until(lambda: demo.poll() is not None, "come to the end", patience=3 * PATIENCE)

    output, _ = demo.communicate(timeout=PATIENCE)
    assert demo.returncode == 0, output
    assert ENDED in output
    assert company.ask("select count(*) from orders") == [(8,)]
    at_work = {int(owner.rsplit(":", 1)[1]) for owner in company.owners} & {worker.pid for worker in workers}
    assert len(at_work) >= 2, company.owners
    assert webs[1].get("/readyz")[0] == 200
    for process in (webs[1].process, *workers[1:]):
        process.terminate()
        said, _ = process.communicate(timeout=PATIENCE)
        assert (process.returncode, "Traceback" in said) == (0, False), said
