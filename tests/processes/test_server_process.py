"""The server as it is started, stopped and killed on a real machine."""

from __future__ import annotations

import signal
import socket
import socketserver
import sqlite3
import stat
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text

from tests.conftest import POSTGRES
from tests.processes.house import PATIENCE, House, Server
from tests.web.api_world import order_body

pytestmark = pytest.mark.slow
CATALOGUE = (
    "sku,name,unit_price,currency,weight_g,stock_north_america,stock_europe,stock_malaysia\n"
    "product-a,Product A,24.90,USD,450,100,100,100\n"
)
KEY = "a-key-of-tests-0123456789"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_demo_server_and_it_starts_again(house: House, number: signal.Signals) -> None:
    """Ctrl-C, and what a service manager sends, end the server with exit 0; the next start finds everything there."""
    server = house.serves("run", "--demo")
    server.until(lambda: len(house.ask("select 1 from event")) > 20, "busy")
    code, output = server.stop(number)
    before = len(house.ask("select 1 from instance"))

    assert (code, "Traceback" in output) == (0, False), output
    assert server.url in output
    assert "Password of each: demo" in output
    assert output.endswith("Stopped.\n")
    assert house.ask("select 1 from job where state = 'leased'") == []

    again = house.serves("run")  # the folder is a demo's by now
    assert again.get("/readyz")[0] == 200
    assert again.stop()[0] == 0
    assert len(house.ask("select 1 from instance")) >= before > 0


def test_a_killed_server_goes_on_where_it_was(house: House) -> None:
    """After kill -9 the next start takes up every order; the history is unbroken."""
    server = house.serves("run", "--demo")
    server.until(lambda: len(house.ask("select 1 from event")) > 30, "busy")
    server.process.kill()
    server.process.wait()
    killed_at = len(house.ask("select 1 from event"))

    again = house.serves("run", "--demo")
    again.until(lambda: len(house.ask("select 1 from event")) > killed_at + 15, "going on")
    assert again.stop()[0] == 0
    assert house.does("audit", "verify") == (0, "The history of every order is unbroken.\n")
    assert house.ask("select 1 from job where state = 'dead'") == []


def test_a_request_under_way_is_answered_before_the_server_ends(house: House) -> None:
    """SIGTERM while a command waits for the database: it is committed and answered, then the process ends with 0."""
    server = house.serves("run", "--demo")
    server.until((house.var / "demo-opened").exists, "opened")
    token = house.does("token", "create", "--user", "sales")[1].strip()
    answers: list[tuple[int, Any]] = []
    with closing(sqlite3.connect(house.var / "waybill.db", isolation_level=None)) as other:
        other.execute("begin immediate")
        asking = Thread(target=lambda: answers.append(server.post("/api/v1/orders", order_body(), token, "in flight")))
        asking.start()
        server.until(lambda: under_way(server) > 0, "asked")
        server.process.send_signal(signal.SIGTERM)
        server.until(lambda: server.get("/healthz")[0] == 0, "closed to others")
        assert server.process.poll() is None
        other.execute("rollback")
    asking.join()
    output, _ = server.process.communicate(timeout=PATIENCE)

    [(status, order)] = answers
    assert status == 201, order
    assert (server.process.returncode, output.endswith("Stopped.\n")) == (0, True), output
    assert house.ask(f"select 1 from orders where number = '{order['number']}'") == [(1,)]
    assert house.ask("select 1 from job where state = 'leased'") == []


def test_a_job_under_way_is_finished_before_the_server_ends(house: House) -> None:
    """SIGTERM while a mail is handed over: the mail server answers, the mail counts as sent, nothing stays held."""
    with MailServer() as mails:
        house.variables["WAYBILL_SMTP_URL"] = f"smtp://127.0.0.1:{mails.server_address[1]}"
        server = house.serves("run", "--demo")
        server.until(mails.asked.is_set, "handing a mail over")
        server.process.send_signal(signal.SIGTERM)
        server.until(lambda: server.get("/healthz")[0] == 0, "closed")
        assert house.ask("select 1 from job where state = 'leased' and operation = 'mail.send'")
        mails.may_answer.set()
        output, _ = server.process.communicate(timeout=PATIENCE)

    assert (server.process.returncode, "Traceback" in output) == (0, False), output
    assert house.ask("select 1 from job where state = 'leased'") == []
    [(sent,)] = house.ask("select count(*) from job where state = 'done' and operation = 'mail.send'")
    assert sent == mails.taken > 0


class MailServer(socketserver.ThreadingTCPServer):
    """Takes every mail, once it may."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handover)
        self.asked, self.may_answer, self.taken = Event(), Event(), 0
        Thread(target=self.serve_forever, daemon=True).start()


class Handover(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self.server.asked.set()
        self.server.may_answer.wait(PATIENCE)
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            answers = {b"DATA": b"354 go on\r\n", b"QUIT": b"221 bye\r\n"}
            self.wfile.write(answers.get(line[:4].upper(), b"250 yes\r\n"))
            if line.upper().startswith(b"DATA"):
                while self.rfile.readline() not in (b".\r\n", b""):
                    pass
                self.server.taken += 1
                self.wfile.write(b"250 taken\r\n")


def under_way(server: Server) -> int:
    """Connections to the server that are open."""
    port = f":{int(server.url.rpartition(':')[2]):04X}"
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(line.split()[1].endswith(port) and line.split()[3] == "01" for line in lines)


def test_a_server_under_load_ends_without_a_word_of_complaint(house: House) -> None:
    """Whoever was let in is answered whole; whoever comes later is not let in; the log says nothing of sockets."""
    server = house.serves("run", "--demo")
    seen: list[Any] = []

    def asks() -> None:
        while True:
            try:
                with urllib.request.urlopen(server.url + "/sign-in", timeout=30) as answer:
                    seen.append((answer.status, answer.read().endswith(b"</html>") or answer.read()[-20:]))
            except urllib.error.URLError as error:
                seen.append(error.reason)
                return

    askers = [Thread(target=asks) for _ in range(12)]
    for asker in askers:
        asker.start()
    server.until(lambda: len(seen) > 100, "asked often")
    code, output = server.stop()
    for asker in askers:
        asker.join()

    assert (code, "Bad file descriptor" in output, "Traceback" in output) == (0, False, False), output
    # one that still stood in the queue of the closing socket is reset before it has asked anything
    ends = {type(last) for last in seen if not isinstance(last, tuple)}
    assert ends - {ConnectionResetError} == {ConnectionRefusedError}
    assert {answer for answer in seen if isinstance(answer, tuple)} == {(200, True)}


def test_a_port_that_is_taken_is_said_in_one_line(house: House) -> None:
    """Whoever starts a second server reads which port is taken and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        house.variables["PORT"] = str(port)

        code, output = house.does("run", "--demo")

    assert code == 1
    assert output == f"Port {port} cannot be used (Address already in use): choose another with PORT.\n"


def test_the_demo_keeps_its_secrets_to_itself(house: House) -> None:
    """Keys of the demo are readable by their owner alone; the server is reached from this machine alone."""
    house.variables["WAYBILL_HOST"] = "0.0.0.0"
    server = house.serves("run", "--demo")

    with pytest.raises(ConnectionRefusedError):  # another address of this machine
        socket.create_connection(("127.0.0.2", int(house.variables["PORT"])), timeout=5)
    code, output = server.stop()

    assert code == 0
    for name in ("secret-key", "webhook-secret"):
        kept = house.var / name
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert kept.read_text().strip() not in output


def test_a_demo_is_refused_where_people_have_accounts(house: House) -> None:
    """A real shop never becomes a demo by accident."""
    assert house.does("users", "add", "kim", "--team", "sales", "--password", "long enough")[0] == 0

    for command in (("run", "--demo"), ("demo", "--orders", "1")):
        code, output = house.does(*command)
        assert (code, output) == (1, "People have accounts here, so this is no demo: choose another WAYBILL_VAR.\n")
    assert not (house.var / "demo").exists()


# --- web and worker as two processes ----------------------------------------------------------------------------------


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def shop(request: pytest.FixtureRequest, house: House) -> Iterator[House]:
    """An installation of real people, on either database; the one on PostgreSQL has no tables yet."""
    house.variables["WAYBILL_SECRET_KEY"] = KEY
    if request.param == "sqlite":
        yield house
        return
    request.getfixturevalue("postgres_url")  # skips where none answers
    server = create_engine(POSTGRES, isolation_level="AUTOCOMMIT")
    name = f"waybill_processes_{house.var.parent.name[-20:].strip('_')}".lower()
    with server.connect() as connection:
        connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    house.variables["WAYBILL_DATABASE_URL"] = (
        make_url(POSTGRES).set(database=name).render_as_string(hide_password=False)
    )
    code, output = house.does("web")
    assert (code, output) == (
        1, "The database's tables are not up to date. Run `waybill db upgrade`, then start again.\n"
    )
    yield house
    house.end()
    with server.connect() as connection:
        connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    server.dispose()


def test_web_and_worker_share_one_database(shop: House) -> None:
    """An order that comes to the web process is worked on by the worker process."""
    file = shop.var.parent / "catalogue.csv"
    file.write_text(CATALOGUE)
    assert shop.does("db", "upgrade")[0] == 0
    assert shop.does("catalogue", "import", str(file)) == (0, "1 products taken.\n")
    assert shop.does("users", "add", "kim", "--team", "sales", "--password", "long enough")[0] == 0
    token = shop.does("token", "create", "--user", "kim")[1].strip()
    web = shop.serves("web")
    status, order = web.post("/api/v1/orders", order_body(), token, "first")
    worker = Server(shop.start("worker"), web.url)

    assert status == 201, order
    worker.until(lambda: mails_sent(web, token, order["number"]), "sent a mail")

    for process in (worker, web):
        code, output = process.stop()
        assert (code, "Traceback" in output) == (0, False), output
    assert "mail.send" in shop.does("jobs", "list", "--state", "done")[1]


def mails_sent(web: Server, token: str, number: str) -> bool:
    history: Any = web.get(f"/api/v1/orders/{number}/history", token)[1]
    return any(line["kind"] == "recorded" for line in history["items"])
