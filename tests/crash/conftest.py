"""The shop of the scenarios, for mutants of the engine."""

from __future__ import annotations

from tests.scenarios.conftest import (
    database,
    installed_rows,
    installed_sqlite,
    library,
    outside,
    parts,
    renderer,
    shipped,
    shop,
)

__all__ = [
    "database", "installed_rows", "installed_sqlite", "library", "outside", "parts", "renderer", "shipped", "shop",
]
