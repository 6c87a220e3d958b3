"""Backup and restore: what is refused, what a broken-off restore leaves, and that a copy is of one moment."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import sqlite3
import stat
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text
from zstandard import ZstdCompressor, ZstdDecompressor

from cli import main, restoring
from engine.store.database import Database
from settings import UNFINISHED_RESTORE, Settings

Member = tuple[tarfile.TarInfo, bytes]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A demo's data folder with a database, a paper and a mail; and a backup of it."""
    folder = tmp_path_factory.mktemp("installed")
    var, file = folder / "var", folder / "backup"
    paper = b"%PDF- a paper"
    name = hashlib.sha256(paper).hexdigest()
    for path, data in (
        ("demo", b"demo"),
        (f"documents/{name[:2]}/{name}", paper),
        ("outbox/WB-1.received.abc.eml", b"Subject: Yes\r\n"),
    ):
        (var / path).parent.mkdir(parents=True, exist_ok=True)
        (var / path).write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        _at(patch, var)
        assert waybill("users", "list").exit_code == 0
        result = waybill("backup", str(file))
        assert result.exit_code == 0, result.output
    return var, file


@pytest.fixture
def var(installed: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that folder; commands go there."""
    var = tmp_path / "var"
    shutil.copytree(installed[0], var)
    _at(monkeypatch, var)
    return var


@pytest.fixture
def file(installed: tuple[Path, Path], tmp_path: Path) -> Path:
    """A copy of its backup."""
    return Path(shutil.copy(installed[1], tmp_path / "backup.tar.zst"))


def _at(monkeypatch: pytest.MonkeyPatch, var: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"WAYBILL_{name.upper()}", raising=False)
    monkeypatch.setenv("WAYBILL_VAR", str(var))


def waybill(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), catch_exceptions=False)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder in which nothing is yet; commands go there from now on."""
    other = tmp_path / "other"
    _at(monkeypatch, other)
    return other


# --- there and back ---------------------------------------------------------------------------------------------------


def test_everything_comes_back(var: Path, file: Path, other: Path) -> None:
    """Database, papers, mails, books, marks and keys; the keys, and the backup itself, for their owner alone."""
    result = waybill("restore", str(file))

    assert result.exit_code == 0, result.output
    before, after = tree(var), tree(other)
    assert after.keys() == {name for name in before if not name.endswith(("-wal", "-shm"))}
    assert all(after[name] == before[name] for name in after if not name.endswith(".db"))
    assert stat.S_IMODE((other / "secret-key").stat().st_mode) == 0o600
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert waybill("users", "list").output.count("\n") > 5
    assert waybill("audit", "verify").exit_code == 0


def test_a_folder_with_a_database_is_left_alone(var: Path, file: Path) -> None:
    """Unless it is told to move what is there aside, where it is whole."""
    before = tree(var)
    result = waybill("restore", str(file))
    assert (result.exit_code, "is there already" in result.stderr) == (1, True)
    assert tree(var) == before

    (var / "documents" / "00").mkdir()
    (var / "documents" / "00" / "new").write_text("made since")
    result = waybill("restore", str(file), "--replace")
    assert result.exit_code == 0, result.output
    [aside] = var.glob("before-restore-*")
    assert (aside / "documents" / "00" / "new").read_text() == "made since"
    assert not (var / "documents" / "00").exists()
    assert str(aside) in result.output


def test_a_damaged_database_can_be_replaced(var: Path, file: Path) -> None:
    """That is what backups are for."""
    (var / "waybill.db").write_bytes(b"x" * 5000)

    assert waybill("restore", str(file), "--replace").exit_code == 0
    assert waybill("audit", "verify").exit_code == 0


def test_the_database_may_lie_elsewhere(
    var: Path, file: Path, other: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the address says, not where the backup found it."""
    monkeypatch.setenv("WAYBILL_DATABASE_URL", f"sqlite:///{tmp_path / 'far' / 'shop.db'}")

    assert waybill("restore", str(file)).exit_code == 0
    assert (tmp_path / "far" / "shop.db").is_file()
    assert waybill("backup", str(file)).exit_code == 0
    assert not (other / "waybill.db").exists()


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_on_postgresql_its_own_tools_are_named(var: Path, file: Path, command: str, monkeypatch: Any) -> None:
    """One line, and exit 2; nobody is asked anything."""
    monkeypatch.setenv("WAYBILL_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")

    result = waybill(command, str(file))

    assert (result.exit_code, result.output.count("\n")) == (2, 1)
    assert "pg_dump" in result.stderr


def test_nothing_to_back_up_is_said(other: Path, tmp_path: Path) -> None:
    """An empty folder is nobody's installation; it stays empty, and no file is written."""
    result = waybill("backup", str(tmp_path / "backup"))

    assert (result.exit_code, "There is no database" in result.stderr) == (1, True)
    assert not (tmp_path / "backup").exists()
    assert tree(other) == {}


def test_what_restore_would_not_take_is_not_backed_up(var: Path, other: Path, tmp_path: Path) -> None:
    """A copy that somebody has left beside the counterparties' books makes no backup that is refused."""
    shutil.copy(var / "outside" / "payments.db", var / "outside" / "payments-2026-11.db")
    file = tmp_path / "with-a-stray"

    with pytest.MonkeyPatch.context() as patch:
        _at(patch, var)
        assert waybill("backup", str(file)).exit_code == 0
    result = waybill("restore", str(file))

    assert result.exit_code == 0, result.stderr
    assert sorted(path.name for path in (other / "outside").iterdir()) == ["couriers.db", "payments.db"]


@pytest.mark.parametrize("books", ["payments.db", "couriers.db"])
def test_damaged_books_are_named_in_a_line(var: Path, tmp_path: Path, books: str) -> None:
    """By every command, and by a backup, which is not written."""
    (var / "outside" / books).write_bytes(b"x" * 5000)

    for command in (("jobs", "list"), ("backup", str(tmp_path / "none"))):
        result = waybill(*command)
        assert (result.exit_code, result.output.count("\n")) == (1, 1)
        assert f"outside/{books}" in result.stderr
    assert not (tmp_path / "none").exists()


def test_half_a_restore_is_not_backed_up(var: Path, tmp_path: Path) -> None:
    """Papers of one day and the database of another are nobody's installation; the last good backup stays."""
    (var / UNFINISHED_RESTORE).mkdir()
    file = tmp_path / "kept"
    file.write_bytes(b"the last good one")

    result = waybill("backup", str(file))

    assert (result.exit_code, "was broken off" in result.stderr) == (1, True)
    assert file.read_bytes() == b"the last good one"


# --- files that are no backup -----------------------------------------------------------------------------------------


def members(file: Path) -> list[Member]:
    data = ZstdDecompressor().stream_reader(file.read_bytes()).read()
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return [(member, (tar.extractfile(member) or io.BytesIO()).read()) for member in tar]


def packed(found: list[Member], **options: Any) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", **options) as tar:
        for member, data in found:
            if member.isreg():
                member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return ZstdCompressor().compress(raw.getvalue())


def told(found: list[Member], change: Callable[[dict[str, Any]], None]) -> list[Member]:
    """The same members behind another manifest."""
    manifest = json.loads(found[0][1])
    change(manifest)
    return [(found[0][0], json.dumps(manifest).encode()), *found[1:]]


def of(name: str, data: bytes = b"x", kind: bytes = tarfile.REGTYPE, link: str = "") -> Member:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    return member, data if kind == tarfile.REGTYPE else b""


def described(name: str, data: bytes = b"x", size: int | None = None) -> dict[str, Any]:
    return {"name": name, "size": len(data) if size is None else size, "sha256": hashlib.sha256(data).hexdigest()}


def _with(name: str, *, size: int | None = None, kind: bytes = tarfile.REGTYPE, link: str = "") -> Any:
    """A further member that the manifest names as well."""
    def change(found: list[Member]) -> bytes:
        more = told(found, lambda manifest: manifest["parts"].append(described(name, size=size)))
        return packed([*more, of(name, kind=kind, link=link)])
    return change


def _last_changed(found: list[Member]) -> bytes:
    member, data = found[-1]
    return packed([*found[:-1], (member, bytes([data[0] ^ 1]) + data[1:])])


HOSTILE: dict[str, Callable[[list[Member]], bytes]] = {
    "a way out": _with("../outside.db"),
    "an absolute name": _with("/etc/waybill.db"),
    "a way out of a folder": _with("documents/../../x"),
    "a name of its own": _with("settings.py"),
    "a symbolic link": _with("outbox/a.eml", size=0, kind=tarfile.SYMTYPE, link="/etc/passwd"),
    "a hard link": _with("outbox/a.eml", size=0, kind=tarfile.LNKTYPE, link="/etc/passwd"),
    "a folder": _with("outbox/a.eml", size=0, kind=tarfile.DIRTYPE),
    "a device": _with("outbox/a.eml", size=0, kind=tarfile.CHRTYPE),
    "more than the disk holds": _with("outbox/a.eml", size=2**60),
    "a negative size": _with("outbox/a.eml", size=-1),
    "one byte changed": _last_changed,
    "a file that the manifest lacks": lambda found: packed([*found, of("outbox/a.eml")]),
    "a file less": lambda found: packed(found[:-1]),
    "a file twice": lambda found: packed(told([*found, found[-1]], lambda m: m["parts"].append(m["parts"][-1]))),
    "another order": lambda found: packed([found[0], *reversed(found[1:])]),
    "no database": lambda found: packed([*told(found, lambda m: m["parts"].pop(0))[:1], *found[2:]]),
    "a larger file": lambda found: packed([*found[:-1], (found[-1][0], found[-1][1] + b"x")]),
    "no manifest": lambda found: packed(found[1:]),
    "a manifest of another kind": lambda found: packed(told(found, lambda m: m.update(format=2))),
    "a manifest with more": lambda found: packed(told(found, lambda m: m.update(run="rm -rf /"))),
    "a manifest that is no JSON": lambda found: packed([(found[0][0], b"{"), *found[1:]]),
    "long names": lambda found: packed([of("manifest.json" + "x" * 300), *found], format=tarfile.GNU_FORMAT),
    "further headers": lambda found: packed(found, format=tarfile.PAX_FORMAT, pax_headers={"comment": "x" * 5000}),
    "half of it": lambda found: packed(found)[:20_000],
    "nothing": lambda found: b"",
    "no archive": lambda found: b"Hello",
    "a bomb": lambda found: ZstdCompressor().compress(bytes(50_000_000)),
    "zeros without end": lambda found: ZstdCompressor().compress(
        ZstdDecompressor().stream_reader(packed(found)).read() + bytes(50_000_000)),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_file_that_is_no_whole_backup_restores_nothing(what: str, file: Path, other: Path) -> None:
    """One sentence; the data folder is as it was, and nothing was written anywhere else."""
    file.write_bytes(HOSTILE[what](members(file)))
    outside = tree(other.parent)

    result = waybill("restore", str(file))

    assert result.exit_code == 1, result.output
    assert (result.stderr.count("\n"), "Nothing was restored." in result.stderr) == (1, True), result.stderr
    assert tree(other) == {}
    assert tree(other.parent) == outside


def test_packing_again_is_not_what_is_refused(file: Path, other: Path) -> None:
    """The same members, packed by the same hands as the hostile ones, are taken."""
    file.write_bytes(packed(members(file)))

    assert waybill("restore", str(file)).exit_code == 0


def test_a_backup_of_a_newer_program_is_refused(file: Path, other: Path) -> None:
    """Its tables are not known here; the line says what to install."""
    file.write_bytes(packed(told(members(file), lambda manifest: manifest.update(revision="9999"))))

    result = waybill("restore", str(file))

    assert (result.exit_code, "made by a newer Waybill" in result.stderr) == (1, True)
    assert tree(other) == {}


# --- broken off -------------------------------------------------------------------------------------------------------


class PowerCut(BaseException):
    """The machine goes off."""


@pytest.mark.parametrize("replaced", [False, True])
def test_a_restore_that_was_broken_off_is_taken_up(
    file: Path, var: Path, other: Path, replaced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At any of its moves: no command works on half a folder, and the same command again makes it whole."""
    moved, broken = restoring._move, 0
    options = ["--replace"] if replaced else []
    while True:
        if replaced:
            _fill(other)
        left = [broken]

        def move(source: Path, target: Path, left: list[int] = left) -> None:
            if left[0] == 0:
                raise PowerCut
            left[0] -= 1
            moved(source, target)

        monkeypatch.setattr(restoring, "_move", move)
        try:
            waybill("restore", str(file), *options)
        except PowerCut:
            pass
        else:
            break
        monkeypatch.setattr(restoring, "_move", moved)
        refused = waybill("users", "list")
        assert (refused.exit_code, "was broken off" in refused.stderr) == (1, True)
        assert waybill("restore", str(file), *options).exit_code == 0
        kept = {name: data for name, data in tree(other).items() if not name.startswith("before-restore")}
        assert kept.keys() == {name for name in tree(var) if not name.endswith(("-wal", "-shm"))}
        assert waybill("audit", "verify").exit_code == 0
        _empty(other)
        broken += 1
    assert broken >= (8 if replaced else 6)


def _fill(folder: Path) -> None:
    """An older installation, with a mark that the backup does not bring."""
    folder.mkdir(exist_ok=True)
    for name in ("waybill.db", "waybill.db-wal", "demo-opened", "demo"):
        (folder / name).write_text("old")
    (folder / "outbox").mkdir()
    (folder / "outbox" / "old.eml").write_text("old")


def _empty(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def test_a_backup_that_is_broken_off_leaves_no_file(var: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file has its name only when it is whole; an older one of that name stays until then."""
    from cli import archive

    target = tmp_path / "backup"
    target.write_text("older")

    def cut(*_: Any) -> None:
        raise PowerCut

    monkeypatch.setattr(archive, "_header", cut)
    with pytest.raises(PowerCut):
        waybill("backup", str(target))
    assert target.read_text() == "older"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


# --- the database's copy ----------------------------------------------------------------------------------------------


@pytest.fixture
def counting(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'counting.db'}")
    with database.write() as session:
        session.execute(text("create table line (n integer primary key, bytes blob)"))
        for _ in range(40):
            session.execute(text("insert into line (bytes) values (zeroblob(400000))"))
    yield database
    database.dispose()


def test_a_copy_is_of_one_moment_while_commands_go_on(counting: Database, tmp_path: Path) -> None:
    """Commands commit between two pieces of the copy, and nothing of them is in it."""
    pieces: list[int] = []

    def goes_on(done: int, of: int) -> None:
        pieces.append(done)
        with counting.write() as session:
            session.execute(text("update line set bytes = zeroblob(n)"))
            session.execute(text("insert into line (bytes) values (null)"))

    counting.copy(tmp_path / "copy.db", beside=lambda: None, report=goes_on)

    assert len(pieces) > 2
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        assert copy.execute("select count(*), min(length(bytes)), max(length(bytes)) from line").fetchall() == [
            (40, 400_000, 400_000)
        ]
        assert copy.execute("pragma integrity_check").fetchall() == [("ok",)]


def test_nobody_commits_at_the_moment_of_the_copy(counting: Database, tmp_path: Path) -> None:
    """What lies beside the database is copied while the database stands still, and is of the same moment."""
    def beside() -> None:
        with closing(sqlite3.connect(str(counting.url.database), timeout=0, isolation_level=None)) as other:
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("begin immediate")

    counting.copy(tmp_path / "copy.db", beside=beside, report=lambda _done, _of: None)

    with counting.write() as session:
        session.execute(text("insert into line (bytes) values (null)"))
