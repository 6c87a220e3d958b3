"""What a gate's page showed when it was opened, sealed into its form: a stale page can then say what is new."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import current_app
from itsdangerous import BadData, URLSafeSerializer

from engine.codec import digest


def seal(submission: Mapping[str, Any]) -> str:
    """The submission for a hidden field of the form."""
    return str(_serializer().dumps(submission))


def as_shown(sealed: str, snapshot: str) -> Mapping[str, Any] | None:
    """What such a field holds; None when it is not what we wrote for this snapshot."""
    try:
        found: Mapping[str, Any] = _serializer().loads(sealed)
    except BadData:
        return None
    return found if digest(found) == snapshot else None


def _serializer() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.secret_key or "", salt="shown at a gate")
