"""The command line: exit codes, what stands on which stream, and one clear line for everything that is wrong."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner, Result
from sqlalchemy import update

from app import build, prepare
from cli import main
from engine import SYSTEM
from engine.store.database import Database
from engine.store.tables import Event, Job
from settings import ROOT, Settings, load
from web.accounts.administration import Administration

DIAGRAM = ROOT / "processes" / "order_fulfillment.bpmn"
ORDERS = (
    "order_ref,name,email,phone,street,city,region,postal_code,country,payment_method,shipping_method,sku,quantity\n"
    "A1,Greta Meier,greta@meier.example,+49 30 901820,Unter den Linden 77,Berlin,,10117,DE,paypal,standard,{sku},2\n"
)
CATALOGUE = "sku,name,unit_price,currency,weight_g,stock_north_america,stock_europe,stock_malaysia\n"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a shop without people and products is installed."""
    folder = tmp_path_factory.mktemp("installed") / "var"
    parts = build(load(var=folder, demo=False, database_url=""))
    prepare(parts)
    with parts.database.engine.connect() as connection:
        connection.rollback()
        connection.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]
    parts.database.dispose()
    return folder


@pytest.fixture(autouse=True)
def var(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, installed: Path) -> Iterator[Path]:
    """The data folder of this test's commands."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"WAYBILL_{name.upper()}", raising=False)
    monkeypatch.delenv("PORT", raising=False)
    folder = tmp_path / "var"
    shutil.copytree(installed, folder)
    monkeypatch.setenv("WAYBILL_VAR", str(folder))
    yield folder
    structlog.reset_defaults()


def waybill(*arguments: str, given: str = "") -> Result:
    """A command to its end. Whatever it raises is no answer to a person."""
    result = CliRunner().invoke(main, list(arguments), input=given)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result


# --- processes --------------------------------------------------------------------------------------------------------


def test_the_shipped_processes_can_be_deployed(var: Path) -> None:
    """A diagram alone is checked with everything that stands beside it; a check leaves nothing behind."""
    shutil.rmtree(var)

    result = waybill("processes", "check", str(DIAGRAM))

    assert (result.exit_code, result.stdout) == (0, "No problem was found.\n")
    assert not var.exists()


def test_a_copy_under_another_name_takes_the_place_of_its_process(tmp_path: Path) -> None:
    """Analysts save versions under names of their own, also with blanks in them."""
    copy = tmp_path / "order fulfillment (2).bpmn"
    shutil.copy(DIAGRAM, copy)

    assert waybill("processes", "check", str(copy)).exit_code == 0
    assert waybill("processes", "check", str(ROOT / "processes"), str(ROOT / "forms")).exit_code == 0


def test_a_check_knows_the_teams_of_the_installation(var: Path, tmp_path: Path) -> None:
    """Those that an administrator has added, as the server does; of a team that is to come the command is told."""
    night = tmp_path / "order_fulfillment.bpmn"
    night.write_bytes(DIAGRAM.read_bytes().replace(b'value="warehouse"', b'value="night"'))
    assert waybill("processes", "check", str(night)).exit_code == 1
    assert waybill("processes", "check", "--team", "night", str(night)).exit_code == 0

    parts = build(load(var=var, demo=False, database_url=""))
    with parts.engine.transaction() as session:
        Administration(parts.engine, session, SYSTEM).add_team("night", "Night shift", ["operator"])
    parts.database.dispose()

    assert waybill("processes", "check", str(night)).exit_code == 0


@pytest.mark.parametrize("broken", ["not a database at all" * 100, ""])
def test_a_check_needs_no_database_that_works(var: Path, broken: str) -> None:
    """It says which teams it knows, and goes on."""
    (var / "waybill.db").write_text(broken)

    result = waybill("processes", "check", str(DIAGRAM))

    assert (result.exit_code, result.stdout) == (0, "No problem was found.\n")
    assert result.stderr.startswith("Only the teams that come with Waybill are known, and those of --team.")


def test_a_problem_is_named_with_element_name_line_and_advice(tmp_path: Path) -> None:
    """Exit 1; for people a line each, for programs JSON."""
    wrong = tmp_path / "order_fulfillment.bpmn"
    wrong.write_bytes(DIAGRAM.read_bytes().replace(b'name="team" value="warehouse"', b'name="team" value="x"'))

    plain = waybill("processes", "check", str(wrong))
    found = json.loads(waybill("processes", "check", "--json", str(wrong)).stdout)

    assert plain.exit_code == 1
    assert found
    for each in found:
        assert each["element"]
        assert each["name"]
        assert each["line"] > 1
        assert each["message"]
        assert each["advice"]
        assert f"processes/order_fulfillment.bpmn:{each['line']} {each['element']} “{each['name']}”" in plain.stdout


GARBAGE = {
    "text.bpmn": b"hello", "empty.bpmn": b"", "binary.bpmn": bytes(range(256)) * 400, "huge.bpmn": b"x" * 6_000_000,
    "bomb.bpmn": b'<!DOCTYPE l [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><l>&b;</l>',
    "deep.bpmn": b"<a>" * 50_000, "other.bpmn": b"<html/>", "half.bpmn": b"<definitions><process",
    "wide.dmn": b"<d>" + b"<x/>" * 300_000 + b"</d>", "list.json": b"[[[[", "text.json": b"\xff\xfe",
    "picture.png": b"x",
}  # fmt: skip


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_is_refused_and_named(tmp_path: Path, name: str) -> None:
    """Whatever the bytes are: exit 1, and the file's name beside what is wrong."""
    (tmp_path / name).write_bytes(GARBAGE[name])

    result = waybill("processes", "check", str(tmp_path / name))

    assert result.exit_code == 1
    assert name in result.stdout
    assert waybill("processes", "deploy", str(tmp_path / name)).exit_code == 1


@pytest.mark.parametrize("name", ["missing.bpmn", "empty-folder", "loop.bpmn"])
def test_what_cannot_be_read_is_refused_and_named(tmp_path: Path, name: str) -> None:
    """A missing file, a folder without diagrams, a link to itself; as JSON too."""
    (tmp_path / "empty-folder").mkdir()
    (tmp_path / "loop.bpmn").symlink_to(tmp_path / "loop.bpmn")

    result = waybill("processes", "check", "--json", str(tmp_path / name))

    assert result.exit_code == 1
    assert [(each["file"], each["rule"]) for each in json.loads(result.stdout)] == [
        (str(tmp_path / name), "file-read")
    ]


def test_versions_are_listed_and_exported_as_they_were_deployed(tmp_path: Path) -> None:
    """What comes out is byte for byte what went in."""
    listed = waybill("processes", "list").stdout
    result = waybill("processes", "export", "order_fulfillment", str(tmp_path / "out"))

    assert re.match(r"order_fulfillment  version 1  [0-9a-f]{12}  ", listed)
    assert result.exit_code == 0
    assert (tmp_path / "out" / "processes" / DIAGRAM.name).read_bytes() == DIAGRAM.read_bytes()
    assert waybill("processes", "export", "nothing", str(tmp_path)).exit_code == 1
    assert "no version 7" in waybill("processes", "export", "order_fulfillment", str(tmp_path), "--version", "7").stderr
    assert waybill("processes", "export", "order_fulfillment", "/proc/nothing").stderr.startswith("/proc/nothing ")


def test_the_reason_is_kept_also_of_the_first_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder itself is deployed when the installation is opened; by this command it is for this reason."""
    monkeypatch.setenv("WAYBILL_VAR", str(tmp_path / "fresh"))
    assert "version 1 " in waybill("processes", "deploy", "--reason", "the first of all").stdout
    assert "the first of all" in waybill("processes", "list").stdout


def test_the_same_content_is_not_deployed_twice(tmp_path: Path) -> None:
    """A new version only when something has changed."""
    changed = tmp_path / DIAGRAM.name
    changed.write_bytes(DIAGRAM.read_bytes().replace(b"</definitions>", b"<!-- new --></definitions>")
                        .replace(b"</bpmn:definitions>", b"<!-- new --></bpmn:definitions>"))

    assert "version 1 " in waybill("processes", "deploy").stdout
    assert "version 2 " in waybill("processes", "deploy", str(changed), "--reason", "because").stdout
    assert "because" in waybill("processes", "list").stdout


# --- files ------------------------------------------------------------------------------------------------------------


def test_files_are_taken_row_by_row(tmp_path: Path) -> None:
    """Exit 0 when all rows were taken, 3 when some were refused, each by line and field; nothing is taken twice."""
    products, orders = tmp_path / "catalogue.csv", tmp_path / "orders.csv"
    products.write_text(CATALOGUE + "tea,Tea,14.00,EUR,100,5,5,5\nbad,Bad,much,EUR,100,5,5,5\n")
    orders.write_text(ORDERS.format(sku="tea") + ORDERS.splitlines()[1].replace("A1", "A2").format(sku="coffee") + "\n")

    taken = waybill("catalogue", "import", str(products))
    assert (taken.exit_code, taken.stdout) == (3, "1 products taken.\n")
    assert taken.stderr.startswith("line 3, unit_price: ")

    taken = waybill("orders", "import", str(orders))
    assert (taken.exit_code, taken.stdout) == (3, "1 orders taken.\n")
    assert taken.stderr.startswith("line 3, sku: ")

    orders.write_text(ORDERS.format(sku="tea"))
    taken = waybill("orders", "import", str(orders))
    assert (taken.exit_code, taken.stdout) == (0, "1 orders were imported before.\n0 orders taken.\n")


@pytest.mark.parametrize("command", ["catalogue", "orders"])
@pytest.mark.parametrize("content", [
    b"", b"\0" * 100_000, b"%PDF-1.7 \xff\xfe", b"a;b;c\n1;2;3\n", b'"' + b"x" * 300_000,
])  # fmt: skip
def test_a_file_that_is_none_is_refused_in_a_line(tmp_path: Path, command: str, content: bytes) -> None:
    """Nothing of it is taken, and the first line says what a file looks like."""
    (tmp_path / "file").write_bytes(content)

    result = waybill(command, "import", str(tmp_path / "file"))

    assert result.exit_code == 3
    assert result.stdout.startswith("0 ")
    assert result.stderr.startswith("line 1: The first line must name the columns")


@pytest.mark.parametrize("command", ["catalogue", "orders"])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, command: str) -> None:
    """Neither a missing file nor a folder is a traceback."""
    assert "missing.csv" in waybill(command, "import", str(tmp_path / "missing.csv")).stderr
    assert str(tmp_path) in waybill(command, "import", str(tmp_path)).stderr


# --- people -----------------------------------------------------------------------------------------------------------


def test_a_person_gets_a_token_and_nothing_else_is_printed() -> None:
    """`TOKEN=$(waybill token create --user kim)` works in a script."""
    added = waybill("users", "add", "kim", "--team", "sales", "--team", "finance", "--password", "long enough!")
    made = waybill("token", "create", "--user", "kim")

    assert (added.exit_code, added.stdout) == (0, "kim can sign in.\n")
    assert (made.exit_code, made.stderr) == (0, "")
    assert re.fullmatch(r"wb_[\w-]{43}\n", made.stdout)
    assert waybill("users", "list").stdout == "kim  kim  finance, sales\n"


def test_a_password_can_be_piped_in() -> None:
    """A password on a command line is seen by everybody on the machine; in a pipe it is not."""
    assert waybill("users", "add", "kim", "--team", "sales", given="long enough!\n").exit_code == 0
    assert "0 characters" in waybill("users", "add", "lee", "--team", "sales").stderr


@pytest.mark.parametrize(("arguments", "said"), [
    (("kim", "--password", "long enough!", "--team", "sales"), "There is already a user kim."),
    (("Kim Lee", "--password", "long enough!", "--team", "sales"), "'Kim Lee' is not a user name"),
    (("", "--password", "long enough!", "--team", "sales"), "'' is not a user name"),
    (("k" * 200, "--password", "long enough!", "--team", "sales"), "is not a user name"),
    (("lee", "--password", "long enough!", "--team", "pirates"), "There is no team pirates. The teams are sales, ware"),
    (("lee", "--password", "short", "--team", "sales"), "The password has 5 characters; give 8 or more"),
    (("lee", "--password", "x" * 5000, "--team", "sales"), "The password has 5000 characters"),
    (("lonesome-anna", "--password", "Lonesome-Anna", "--team", "sales"), "The password is the user name."),
    (("lee", "--password", "with\x07bell", "--team", "sales"), "cannot be typed"),
    (("lee", "--password", "long enough!", "--team", "sales", "--display-name", "x" * 121), "A display name is a line"),
    (("lee", "--password", "long enough!", "--team", "sales", "--display-name", "\x1b[31mred"), "A display name is"),
])  # fmt: skip
def test_a_person_who_cannot_be_added_is_told_in_a_line(arguments: tuple[str, ...], said: str) -> None:
    """Duplicate and odd names, weak passwords, unknown teams; nobody is added."""
    waybill("users", "add", "kim", "--team", "sales", "--password", "long enough!")

    result = waybill("users", "add", *arguments)

    assert result.exit_code == 1
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert waybill("users", "list").stdout == "kim  kim  sales\n"


def test_nobody_has_a_token_of_somebody_unknown() -> None:
    """The line says where to look; standard output stays empty."""
    result = waybill("token", "create", "--user", "ghost")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "There is no user ghost. See them with: waybill users list\n"


def test_a_token_is_listed_and_revoked_by_its_id() -> None:
    """The list has no secret in it; what is revoked is revoked once."""
    waybill("users", "add", "kim", "--team", "sales", "--password", "long enough! to do")
    made = waybill("token", "create", "--user", "kim", "--scope", "read", "--days", "7", "--label", "Scanner").stdout

    listed = waybill("token", "list").stdout
    token_id = listed.split()[0]
    assert made.strip() not in listed
    assert re.fullmatch(r"[0-9a-f]{12}  kim  read  until [\d-]+  never used  Scanner\n", listed)

    assert waybill("token", "revoke", token_id).stdout == "The token of kim works no longer.\n"
    assert "revoked" in waybill("token", "list", "--user", "kim").stdout
    again = waybill("token", "revoke", token_id)
    assert (again.exit_code, again.stderr.count("\n")) == (1, 1)
    assert f"There is no token {token_id} that works." in again.stderr


@pytest.mark.parametrize(("arguments", "code"), [(("--days", "0"), 1), (("--days", "400"), 1), (("--scope", "x"), 2)])
def test_a_token_has_an_end_and_known_scopes(arguments: tuple[str, ...], code: int) -> None:
    """Nothing is printed that a script could take for a token."""
    waybill("users", "add", "kim", "--team", "sales", "--password", "long enough! to do")

    result = waybill("token", "create", "--user", "kim", *arguments)

    assert (result.exit_code, result.stdout) == (code, "")


# --- operations -------------------------------------------------------------------------------------------------------


def test_one_changed_byte_of_the_history_is_found(var: Path, tmp_path: Path) -> None:
    """`audit verify` fails and names the row, also when what stands there is no text any more."""
    (tmp_path / "catalogue.csv").write_text(CATALOGUE + "tea,Tea,14.00,EUR,100,5,5,5\n")
    (tmp_path / "orders.csv").write_text(ORDERS.format(sku="tea"))
    waybill("catalogue", "import", str(tmp_path / "catalogue.csv"))
    waybill("orders", "import", str(tmp_path / "orders.csv"))
    assert waybill("audit", "verify").stdout == "The history of every order is unbroken.\n"
    assert waybill("audit", "verify", "WB-10001").stdout == "The history of WB-10001 is unbroken.\n"

    for changed in ({"body": b"\xff{}"}, {"actor": "somebody else"}, {"at": "never"}):
        database = Database(f"sqlite:///{var / 'waybill.db'}")
        with database.engine.begin() as connection:
            whole = connection.exec_driver_sql("select body, actor, at from event where seq = 2").one()
            if "at" in changed:
                connection.exec_driver_sql("update event set at = 'never' where seq = 2")
            else:
                connection.execute(update(Event).where(Event.seq == 2).values(changed))
        result = waybill("audit", "verify", "WB-10001")
        with database.engine.begin() as connection:
            connection.exec_driver_sql("update event set body = ?, actor = ?, at = ? where seq = 2", tuple(whole))
        database.dispose()

        assert result.exit_code == 1
        assert result.stderr.startswith("WB-10001: event 2: ")

    assert waybill("audit", "verify").exit_code == 0
    assert waybill("audit", "verify", "WB-1").stderr == "There is no order WB-1.\n"


def test_jobs_are_listed_and_retried() -> None:
    """An empty list is empty for a program and a sentence for a person."""
    result = waybill("jobs", "list")

    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "There are no dead jobs.\n")
    assert waybill("jobs", "retry", "nothing").stderr == "There is no such job.\n"
    assert waybill("db", "upgrade").stdout.startswith("The tables are up to date")


def with_incidents(count: int) -> list[str]:
    """Orders of which a timer gave up; the ids of the jobs."""
    file = Path(os.environ["WAYBILL_VAR"]) / "file.csv"
    file.write_text(CATALOGUE + "product-a,Product A,14.00,USD,100,9,99,9\n")
    assert waybill("catalogue", "import", str(file)).exit_code == 0
    for n in range(count):
        file.write_text(ORDERS.replace("A1", f"A{n}").format(sku="product-a"))
        assert waybill("orders", "import", str(file)).exit_code == 0
    parts = build(load())
    with parts.database.write() as session:
        session.execute(update(Job).where(Job.kind == "timer").values(state="dead", error="No 17 is silent."))
    found = [job.id for incident in parts.engine.incidents() for job in incident.jobs]
    parts.database.dispose()
    assert len(found) == count
    return found


def test_incidents_are_retried_together() -> None:
    """All, or those whose cause holds a text; one line a cause."""
    with_incidents(2)

    listed = waybill("jobs", "incidents").stdout
    assert listed.startswith("2 × timer at reservation_expired: No # is silent.  2 orders, since ")
    assert waybill("jobs", "retry", "--all", "--cause", "courier").stdout == ""
    assert "2 × timer at reservation_expired" in waybill("jobs", "retry", "--all", "--cause", "is SILENT").stdout
    assert waybill("jobs", "incidents").stderr == "There are no incidents.\n"
    for wrong in (("jobs", "retry"), ("jobs", "retry", "x", "--all"), ("jobs", "retry", "x", "--cause", "y")):
        assert waybill(*wrong).exit_code == 2


def test_an_incident_is_resolved_by_hand() -> None:
    """With a reason, and a result that is JSON; a mistake is one line."""
    [job] = with_incidents(1)

    assert waybill("jobs", "resolve", job).exit_code == 2
    assert waybill("jobs", "resolve", job, "--reason", "x", "--result", "{").exit_code == 2
    assert "Nothing waits for a result" in waybill("jobs", "resolve", job, "--reason", "x", "--result", "{}").stderr
    done = waybill("jobs", "resolve", job, "--reason", "The stock is held by telephone.")

    assert done.stdout.endswith("timer is resolved by hand.\n")
    assert waybill("jobs", "resolve", job, "--reason", "Again.").stderr == "This is no open incident any more.\n"


def test_a_file_that_is_no_database_is_said_in_a_line(var: Path) -> None:
    """Not a traceback, and where to look."""
    (var / "waybill.db").write_bytes(os.urandom(5000))
    for extra in ("-wal", "-shm"):
        (var / f"waybill.db{extra}").unlink(missing_ok=True)

    result = waybill("users", "list")

    assert result.exit_code == 1
    assert result.stderr.startswith("The database cannot be used: its file is damaged or is none. Look at WAYBILL_")
    assert result.stderr.endswith("(file is not a database)\n")


def test_a_traceback_in_the_log_shows_no_local_variables(capsys: pytest.CaptureFixture[str]) -> None:
    """What a command was working on may be a password; log lines leave standard output to the command's answer."""
    build(load()).database.dispose()
    password = "hush" + "-hush"
    try:
        raise ValueError(len(password))
    except ValueError:
        structlog.get_logger("test").exception("it failed")

    said = capsys.readouterr()
    assert said.out == ""
    assert "it failed" in said.err
    assert "ValueError: 9" in said.err
    assert "hush-hush" not in said.err
