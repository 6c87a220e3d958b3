"""The folders of an installation and its database: what a start deploys, and how a version comes into the folders."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner, Result

import app
from cli import main
from engine import Bundle, Engine
from engine.folders import MARK
from settings import ROOT, Settings, load
from tests.looking import ANALYST, ANOTHER, bundle

FORM = "prepare_shipment.json"
KEY = "order_fulfillment"


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The folder of an installation with `processes/` and `forms/` of its own, started once."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"WAYBILL_{name.upper()}", raising=False)
    monkeypatch.setenv("WAYBILL_VAR", str(tmp_path / "var"))
    for folder in ("processes", "forms"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    folders = (tmp_path / "processes", tmp_path / "forms")
    for module in ("app", "cli.processes", "cli.checking"):
        monkeypatch.setattr(f"{module}.BUNDLE", folders)
    assert start() is None
    yield tmp_path
    structlog.reset_defaults()


def start() -> str | None:
    """A start of the installation; its warning."""
    parts = app.build(load())
    try:
        return app.prepare(parts)
    finally:
        parts.database.dispose()


def engine() -> Engine:
    return app.build(load()).engine


def waybill(*arguments: str) -> Result:
    result = CliRunner().invoke(main, ["processes", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def numbers() -> list[tuple[int, str]]:
    return [(version.version, version.origin) for version in engine().versions(KEY)]


def edit(house: Path, word: str, name: str = FORM) -> None:
    """Changes a form of the folder."""
    path = house / "forms" / name
    path.write_text(path.read_text().replace('"title": "', f'"title": "{word} ', 1))


def deploy_in_browser(word: str, base: int = 1, *, without: str = "") -> None:
    """An analyst changes a form, perhaps removes a file, and another one consents."""
    files = dict(engine().bundle(KEY, base).files)
    files[f"forms/{FORM}"] = files[f"forms/{FORM}"].replace(b'"title": "', f'"title": "{word} '.encode(), 1)
    files.pop(without, None)
    [asked] = engine().propose(Bundle(files), ANALYST, reason="because", base_version=base)
    engine().consent(KEY, asked.version, ANOTHER)


def test_a_start_deploys_what_changed_in_the_folder(house: Path) -> None:
    """And nothing when nothing has changed."""
    edit(house, "Better")
    assert (start(), start()) == (None, None)

    assert numbers() == [(2, "folder"), (1, "folder")]


def test_a_version_of_the_browser_and_an_unchanged_folder_get_along(house: Path) -> None:
    """The newest stays the newest, and nobody is warned."""
    deploy_in_browser("Better")

    assert start() is None
    assert numbers() == [(2, "upload"), (1, "folder")]


def test_a_folder_that_changed_on_an_older_version_is_refused(house: Path) -> None:
    """The warning names both versions, and how to go on."""
    deploy_in_browser("Better")
    edit(house, "Other")

    warning = start() or ""

    assert "changed on version 1, but version 2 is the newest" in warning
    assert f"waybill processes export {KEY} --overwrite" in warning
    assert [number for number, _ in numbers()] == [2, 1]


def test_an_exported_version_is_the_folders(house: Path) -> None:
    """Files that it no longer has are gone, other papers stay, and a start deploys nothing."""
    deploy_in_browser("Better", without="forms/prepare_next.ui.json")

    told = waybill("export", KEY).stdout

    assert "forms/prepare_next.ui.json was removed." in told
    assert not (house / "forms" / "prepare_next.ui.json").exists()
    assert (house / "forms" / "README.md").exists()
    assert Bundle.from_folders(house / "processes", house / "forms") == engine().bundle(KEY, 2)
    assert start() is None
    assert len(numbers()) == 2


def test_what_changes_in_the_folder_after_an_export_builds_on_it(house: Path) -> None:
    """Then by the browser, and by the folder again."""
    deploy_in_browser("Better")
    waybill("export", KEY)
    edit(house, "Much")
    assert start() is None
    edit(house, "So")

    assert start() is None
    assert [(v.version, v.base_version, v.origin) for v in engine().versions(KEY)] == [
        (4, 3, "folder"), (3, 2, "folder"), (2, 1, "upload"), (1, None, "folder")]


def test_an_export_does_not_lose_what_was_changed_in_the_folder(house: Path) -> None:
    """It is written over only when somebody says so."""
    deploy_in_browser("Better")
    edit(house, "Other")
    before = (house / "forms" / FORM).read_bytes()

    refused = waybill("export", KEY)
    kept = (house / "forms" / FORM).read_bytes()

    assert (refused.exit_code, kept) == (1, before)
    assert "never deployed" in refused.stderr
    assert waybill("export", KEY, "--overwrite").exit_code == 0
    assert start() is None


def test_a_process_that_is_not_the_folders_needs_a_folder(house: Path, tmp_path: Path) -> None:
    """Its files would be deployed together with the others at the next start."""
    engine().propose(bundle(), ANALYST, reason="new", base_version=None)
    engine().consent("looking", 1, ANOTHER)

    assert "Name a folder" in waybill("export", "looking").stderr
    assert waybill("export", "looking", str(tmp_path / "out")).exit_code == 0
    assert (tmp_path / "out" / "forms" / "look.json").exists()
    assert not (tmp_path / "out" / "processes" / MARK).exists()
    assert start() is None


def test_what_waits_is_not_exported_and_not_in_the_way(house: Path) -> None:
    """The folder builds on what is deployed."""
    engine().propose(
        Bundle({**engine().bundle(KEY, 1).files, "forms/more.json": (house / "forms" / FORM).read_bytes()}),
        ANALYST, reason="because", base_version=1,
    )
    assert "version 1 are in" in waybill("export", KEY).stdout
    edit(house, "Better")

    assert start() is None
    assert [number for number, _ in numbers()] == [3, 2, 1]
    listed = waybill("list").stdout
    assert "version 2 on 1" in listed
    assert "waits for consent" in listed
    assert "version 1, but version 3" not in waybill("list").stderr
    assert waybill("consent", KEY, "2").stderr.startswith("Version 2 of Order fulfillment was made on version 1, but")


def test_the_operator_may_consent_on_the_command_line(house: Path) -> None:
    """The version says so."""
    files = {**engine().bundle(KEY, 1).files, "forms/more.json": (house / "forms" / FORM).read_bytes()}
    engine().propose(Bundle(files), ANALYST, reason="because", base_version=1)

    assert waybill("consent", KEY, "2", "--comment", "by phone").stdout == f"{KEY}: version 2 is deployed.\n"
    assert "analyst, consent by command line" in waybill("list").stdout
