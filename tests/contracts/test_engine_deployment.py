"""Versions of a process: numbered, never changed, and never deployed over somebody else's newer one."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from engine import SYSTEM, Database, Engine
from engine.errors import CannotDeploy, NotFound, StaleBase
from handlers.contract import Registry
from tests.looking import ANALYST, ANOTHER, bundle


@pytest.fixture
def engine(database: Database, clock: Any) -> Callable[[], Engine]:
    """A fresh engine on the same database, as after a restart."""
    return lambda: Engine(database, Registry({}), clock)


def versions(engine: Callable[[], Engine]) -> list[tuple[int, int | None]]:
    return [(v.version, v.base_version) for v in engine().versions("looking")]


def test_a_new_content_is_a_new_version_and_the_same_content_is_none(engine: Callable[[], Engine]) -> None:
    """Deploying again what is deployed changes nothing, also after a newer version."""
    engine().deploy(bundle("One"), SYSTEM)
    engine().deploy(bundle("One"), SYSTEM)
    engine().deploy(bundle("Two"), SYSTEM)
    engine().deploy(bundle("One"), SYSTEM)

    assert versions(engine) == [(2, 1), (1, None)]


def test_an_instance_stays_on_the_version_it_began_with(engine: Callable[[], Engine]) -> None:
    """A change of the process does not touch what is under way."""
    engine().deploy(bundle("One"), SYSTEM)
    engine().start("looking", "A", SYSTEM)
    engine().deploy(bundle("Two"), SYSTEM)
    engine().start("looking", "B", SYSTEM)

    assert [(engine().instance(key).version, engine().order_tasks(key)[0].name) for key in "AB"] == [
        (1, "One"), (2, "Two")]


def test_names_may_be_as_long_as_analysts_write_them(engine: Callable[[], Engine]) -> None:
    """BPMN sets no limit; lists and rows keep the beginning of a longer one."""
    engine().deploy(bundle("A long story. " * 40), SYSTEM)
    engine().start("looking", "A", SYSTEM)

    [task] = engine().order_tasks("A")
    assert (len(task.name), task.name[:13], task.name[-1]) == (200, "A long story.", "…")


def test_a_key_is_as_long_as_the_database_can_keep(engine: Callable[[], Engine]) -> None:
    """A longer one is refused in words, also when it comes as a file."""
    engine().deploy(bundle(key="k" * 80), SYSTEM, origin="upload")

    with pytest.raises(CannotDeploy) as refused:
        engine().deploy(bundle(key="k" * 81), SYSTEM, origin="upload")

    assert [finding.rule for finding in refused.value.findings] == ["id"]


def test_a_folder_is_refused_over_a_newer_version_that_somebody_else_deployed(engine: Callable[[], Engine]) -> None:
    """The folder's change was made on version 1; both versions are named, and nothing is deployed."""
    engine().deploy(bundle("One"), SYSTEM)
    engine().deploy(bundle("Two"), ANALYST, origin="upload", base_version=1)

    with pytest.raises(StaleBase, match=r"version 1, but version 2 is the newest"):
        engine().deploy(bundle("Three"), SYSTEM)

    assert versions(engine) == [(2, 1), (1, None)]


def test_an_upload_names_the_version_it_was_made_on(engine: Callable[[], Engine]) -> None:
    """Two analysts change the same version: the second is told."""
    engine().deploy(bundle("One"), SYSTEM)
    engine().deploy(bundle("Two"), ANALYST, origin="upload", base_version=1)

    with pytest.raises(StaleBase, match=r"version 1, but version 2"):
        engine().deploy(bundle("Three"), ANALYST, origin="upload", base_version=1)


def test_what_the_linter_refuses_is_not_deployed(engine: Callable[[], Engine]) -> None:
    """Every problem comes back, by element."""
    with pytest.raises(CannotDeploy) as refused:
        engine().deploy(bundle(broken=True), SYSTEM)

    assert any(finding.element == "look" for finding in refused.value.findings)
    assert engine().versions() == []


def test_a_version_is_parsed_once_and_shared(engine: Callable[[], Engine]) -> None:
    """All instances of a version use one parsed diagram."""
    one = engine()
    one.deploy(bundle(), SYSTEM)
    with one.reading() as session:
        first = one.library.newest(session, "looking")
        assert one.library.newest(session, "looking") is first


def test_an_exported_version_is_what_was_deployed(engine: Callable[[], Engine]) -> None:
    """The files come back byte by byte."""
    engine().deploy(bundle("One"), SYSTEM)

    assert engine().bundle("looking", 1).content_hash == bundle("One").content_hash


def test_what_waits_or_was_returned_never_runs(engine: Callable[[], Engine]) -> None:
    """New instances take the newest deployed version, whatever has a higher number."""
    engine().deploy(bundle("One"), SYSTEM)
    engine().propose(bundle("Two"), ANALYST, reason="because", base_version=1)
    engine().propose(bundle("Three"), ANALYST, reason="because", base_version=1)
    engine().return_version("looking", 3, ANOTHER, "no")

    engine().start("looking", "A", SYSTEM)

    assert engine().instance("A").version == 1
    assert [(v.version, v.state) for v in engine().versions("looking")] == [
        (3, "returned"), (2, "awaiting_consent"), (1, "deployed")]


def test_a_process_that_only_waits_cannot_be_started(engine: Callable[[], Engine]) -> None:
    """The first version of a new process waits as well."""
    engine().propose(bundle(), ANALYST, reason="new", base_version=None)

    with pytest.raises(NotFound, match="No process 'looking' is deployed"):
        engine().start("looking", "A", SYSTEM)


def test_two_consents_at_once_deploy_one_version(engine: Callable[[], Engine]) -> None:
    """Both were made on version 1: whoever comes second is told."""
    engine().deploy(bundle("One"), SYSTEM)
    for name in ("Two", "Three"):
        engine().propose(bundle(name), ANALYST, reason="because", base_version=1)
    engines = [engine(), engine()]

    def consent(number: int) -> str:
        try:
            return engines[number].consent("looking", number + 2, ANOTHER).state
        except StaleBase:
            return "stale"

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(consent, range(2)))

    assert sorted(results) == ["deployed", "stale"]
    assert len([v for v in engine().versions() if v.state == "deployed"]) == 2
