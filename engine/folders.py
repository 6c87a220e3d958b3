"""A bundle as files in two folders, and on which version the folders build."""

from __future__ import annotations

import secrets
from pathlib import Path

from engine.definitions import Bundle

MARK = ".exported"
"""A file of this name among the diagrams holds the content hash of the version that was written there last."""


def built_on(processes: Path) -> str | None:
    """The content hash of the version that was written into the folder last; None when none ever was."""
    try:
        return (processes / MARK).read_text(encoding="ascii", errors="replace").strip()[:64] or None
    except OSError:
        return None


def write(bundle: Bundle, folder: Path) -> list[str]:
    """Writes the files of a bundle below a folder, beside what is there; removes nothing. OSError."""
    for name, data in bundle.files.items():
        _replace(folder / name, data)
    return []


def put(bundle: Bundle, processes: Path, forms: Path) -> list[str]:
    """Makes two folders hold exactly this bundle; returns the names of files that were removed. OSError.

    Only what a bundle can hold is removed; a README stays.
    """
    folders = {"processes": processes, "forms": forms}
    processes.mkdir(parents=True, exist_ok=True)
    forms.mkdir(parents=True, exist_ok=True)
    removed = sorted(Bundle.from_folders(processes, forms).files.keys() - bundle.files.keys())
    for name, data in bundle.files.items():
        folder, _, file = name.partition("/")
        _replace(folders[folder] / file, data)
    for name in removed:
        folder, _, file = name.partition("/")
        (folders[folder] / file).unlink(missing_ok=True)
    _replace(processes / MARK, f"{bundle.content_hash}\n".encode())
    return removed


def _replace(path: Path, data: bytes) -> None:
    """Writes a file whole or not at all; one that holds this already is left alone."""
    if path.is_file() and path.read_bytes() == data:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        draft.write_bytes(data)
        if path.exists():
            draft.chmod(path.stat().st_mode & 0o777)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
