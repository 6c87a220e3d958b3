"""Addresses of static files with the hash of their content, so that browsers may keep them for a year."""

from __future__ import annotations

import hashlib
from pathlib import Path

from flask import Flask, url_for


def init_assets(app: Flask) -> None:
    """Gives templates `asset(path)`: the address, or an empty text when the file was not built."""
    folder = Path(str(app.static_folder))
    known: dict[str, tuple[float, str]] = {}

    def asset(path: str) -> str:
        try:
            changed = (folder / path).stat().st_mtime
        except OSError:
            return ""
        if path not in known or known[path][0] != changed:
            known[path] = (changed, hashlib.sha256((folder / path).read_bytes()).hexdigest()[:10])
        return url_for("static", filename=path, v=known[path][1])

    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = 365 * 24 * 3600
    app.jinja_env.globals["asset"] = asset
