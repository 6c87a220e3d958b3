"""Secrets are kept as what they hash to: whoever reads the database cannot use them."""

from __future__ import annotations

import hashlib


def digest(secret: str) -> str:
    """SHA-256 in hex. Enough for secrets that a machine made at random; passwords take argon2."""
    return hashlib.sha256(secret.encode()).hexdigest()
