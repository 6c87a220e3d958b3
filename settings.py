"""Every setting Waybill reads from the environment. The one list; a wrong value stops the start with one clear line."""

from __future__ import annotations

import base64
import os
import secrets
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from handlers.contract import WaybillError

ROOT = Path(__file__).resolve().parent
"""Where the diagrams, forms and documents lie."""
DEMO_MARK = "demo"
"""A file of this name in the data folder marks it as demo."""


class WrongSetting(WaybillError):
    """A setting that is missing or cannot be used."""


class Settings(BaseSettings):
    """Read from `WAYBILL_…` and `PORT`. Use `load`, which also reads what a demo folder keeps."""

    model_config = SettingsConfigDict(env_prefix="WAYBILL_", frozen=True, extra="ignore", populate_by_name=True)

    var: Path = Path("var")
    """The data folder: SQLite database, documents, outbox, the embedded counterparties' ledgers."""
    database_url: str = ""
    """SQLAlchemy address; by default SQLite in the data folder."""
    broker_url: str = ""
    """Address of a message broker that wakes workers on other machines."""
    secret_key: str = Field(default="", repr=False)
    """Signs sessions. Required outside demo mode."""
    webhook_secret: str = Field(default="", repr=False)
    """Signs messages from outside (Standard Webhooks, `whsec_` and base64). Without one no message is accepted."""
    demo: bool = False
    """Demo users and simulated counterparties; the server binds to loopback only."""
    demo_speed: float = Field(default=1.0, ge=0)
    """How fast the demo's bank and couriers answer: 1 is within seconds, 0 stops them."""
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535, validation_alias="PORT")
    public_url: str = ""
    """Where customers reach the tracking page; by default the server's own address."""
    smtp_url: str = Field(default="", repr=False)
    """Mail server, e.g. `smtp+starttls://user:password@host:587`; without one mails stay in the local outbox."""
    worker_threads: int = Field(default=4, ge=1, le=64)

    @field_validator("var")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @property
    def database(self) -> str:
        """The address of the database."""
        return self.database_url or f"sqlite:///{self.var / 'waybill.db'}"

    @property
    def site(self) -> str:
        """Where this installation is reached, without a trailing slash."""
        return (self.public_url or f"http://127.0.0.1:{self.port}").rstrip("/")

    @property
    def is_marked_demo(self) -> bool:
        """Whether the data folder was made a demo's by an earlier start."""
        return (self.var / DEMO_MARK).exists()

    def mark_demo(self) -> None:
        """Makes the data folder a demo's for good."""
        (self.var / DEMO_MARK).write_text("This folder is a demo's. Demo users and their password work here.\n")

    def require_secret_key(self) -> None:
        """WrongSetting when sessions could not be signed."""
        if len(self.secret_key) < 16:
            raise WrongSetting("WAYBILL_SECRET_KEY is missing: set it to a random text of 16 characters or more.")


def load(**overrides: Any) -> Settings:
    """The settings of this start. A data folder that an earlier start marked as demo stays demo.

    WrongSetting names the variable that cannot be used.
    """
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).upper()
        variable = name if name == "PORT" else f"WAYBILL_{name}"
        raise WrongSetting(f"{variable} cannot be used: {first['msg']}.") from None
    if settings.broker_url:
        raise WrongSetting(
            "WAYBILL_BROKER_URL is set, but this version wakes its workers itself: unset it, and run `waybill worker`."
        )
    return _with_demo(settings)


def _with_demo(settings: Settings) -> Settings:
    if not settings.demo and not settings.is_marked_demo:
        return settings
    settings.var.mkdir(parents=True, exist_ok=True)
    return settings.model_copy(update={
        "demo": True,
        "host": "127.0.0.1",
        "secret_key": settings.secret_key or _kept(settings.var / "secret-key", secrets.token_urlsafe(32)),
        "webhook_secret": settings.webhook_secret or _kept(settings.var / "webhook-secret", _webhook_secret()),
    })


def _webhook_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()


def _kept(path: Path, fresh: str) -> str:
    """What the file holds; the first to come writes it, readable by its owner alone."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(handle, "w") as file:
        file.write(fresh + "\n")
    return fresh
