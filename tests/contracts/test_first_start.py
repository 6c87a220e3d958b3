"""Several processes of a new installation, started at the same moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import app
from engine.store.database import Database
from settings import load
from tests.conftest import empty_postgres
from web.accounts import DEMO_PEOPLE, users

PROCESSES = 6


def test_processes_that_start_at_once_install_it_once(database: Database, tmp_path: Path) -> None:
    """One deploys the process and makes the demo's people; the others find them, and none of them fails."""
    settings = load(var=tmp_path / "var", demo=True, database_url=database.url.render_as_string(False))
    started = [app.build(settings) for _ in range(PROCESSES)]

    with ThreadPoolExecutor(PROCESSES) as pool:
        warnings = list(pool.map(app.install, started))

    assert warnings == [None] * PROCESSES
    [version] = started[0].engine.versions()
    assert version.version == 1
    with database.read() as session:
        assert len(users(session)) == len(DEMO_PEOPLE)
    for parts in started:
        parts.database.dispose()
    if not database.is_sqlite:
        empty_postgres(database)  # what others have committed, the fixture does not know of
