"""How a backup comes into a data folder: read and compared first, then moved in, which can be taken up again."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import migrations
from cli import archive
from cli.archive import DATABASE, FOLDERS, MARKS, Manifest, NotABackup
from handlers.contract import WaybillError
from settings import UNFINISHED_RESTORE

_STAGE = ".restore-"


class CannotRestore(WaybillError):
    """The data folder is taken, or the backup is not for this program."""


class Place:
    """A data folder and the file of its database, which may lie elsewhere.

    A restore has two halves. Until every hash was compared, the backup lies in a folder that nobody looks at. Then this
    folder gets the name `UNFINISHED_RESTORE`, and from that moment the restore is only ever finished: no command works
    on the data folder before.
    """

    def __init__(self, var: Path, database: Path) -> None:
        self.var, self.database = var, database
        self._ready = var / UNFINISHED_RESTORE

    def require_free(self, *, replace: bool) -> None:
        """CannotRestore when there is a database already; with `replace`, when somebody works on it."""
        if not self.database.exists():
            return
        if not replace:
            raise CannotRestore(f"{self.database} is there already. Choose another WAYBILL_VAR, or give --replace to "
                                "move what is there aside.")
        with closing(sqlite3.connect(self.database, timeout=0, isolation_level=None)) as connection:
            try:
                connection.execute("PRAGMA locking_mode=EXCLUSIVE")
                connection.execute("BEGIN EXCLUSIVE")
                connection.execute("ROLLBACK")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                    raise CannotRestore(f"Somebody works on {self.database}. Stop web and worker first.") from None
            except sqlite3.DatabaseError:
                pass  # a damaged database is a reason to restore one

    def fill(self, file: Path, report: Callable[[int, int], None]) -> Manifest:
        """Reads a backup and compares every hash. NotABackup or CannotRestore leave everything as it was."""
        for left in self.var.glob(f"{_STAGE}*"):
            shutil.rmtree(left)  # of one that was broken off
        stage = Path(tempfile.mkdtemp(prefix=_STAGE, dir=self.var))
        try:
            archive.extract(file, stage, _require_known, report)
            stage.rename(self._ready)
            archive.sync_folder(self.var)
        except NotABackup as error:
            raise NotABackup(f"{file} is no whole backup of Waybill: {error}. Nothing was restored.") from error
        finally:
            shutil.rmtree(stage, ignore_errors=True)
        return archive.manifest_in(self._ready)

    def take_up(self) -> bool:
        """Finishes a restore that was broken off; False when there is none."""
        if not self._ready.exists():
            return False
        self.put()
        return True

    def put(self) -> Path | None:
        """Moves what was read into its places, and what was there aside; returns where to. May be given again."""
        aside = self.var / f"before-restore-{datetime.now(UTC):%Y%m%dT%H%M%S}"
        if (self._ready / "manifest.json").exists():  # it goes last
            names = {part.name.partition("/")[0] for part in archive.manifest_in(self._ready).parts}
            for name, target in self._targets():
                new = self._ready / name
                if target.exists() and (new.exists() or name not in names):
                    aside.mkdir(exist_ok=True)
                    _move(target, aside / target.name)
                if new.exists():
                    _move(new, target)
        shutil.rmtree(self._ready)
        archive.sync_folder(self.var)
        return aside if aside.exists() else None

    def _targets(self) -> Iterator[tuple[str, Path]]:
        """Everything that a backup brings or that may be in its way, and where it belongs. The database comes last."""
        for end in ("-wal", "-shm"):
            yield DATABASE + end, self.database.with_name(self.database.name + end)
        for name in (*FOLDERS, *MARKS):
            yield name, self.var / name
        yield DATABASE, self.database


def _require_known(manifest: Manifest) -> None:
    if manifest.revision not in migrations.known():
        raise CannotRestore(f"The backup was made by a newer Waybill ({manifest.waybill}, tables {manifest.revision}); "
                            f"this one knows tables up to {migrations.head()}. Install that version first.")


def _move(source: Path, target: Path) -> None:
    """Moves a file or folder; at no time is there half of it under its name."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        source.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        draft = target.with_name(f".{target.name}.part")  # the database lies on another disk than the data folder
        shutil.copyfile(source, draft)
        with draft.open("rb+") as file:
            os.fsync(file.fileno())
        draft.replace(target)
        source.unlink()
    archive.sync_folder(target.parent)
