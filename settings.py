"""Every setting Waybill reads from the environment. The one list; a wrong value stops the start with one clear line."""

from __future__ import annotations

import base64
import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from handlers.contract import WaybillError
from handlers.mail import SmtpTransport
from web.local import is_locale, zones

ROOT = Path(__file__).resolve().parent
"""Where the diagrams, forms and documents lie."""
DEMO_MARK = "demo"
"""A file of this name in the data folder marks it as demo."""
UNFINISHED_RESTORE = ".restored"
"""A folder of this name in the data folder holds a backup that is still to be moved into its places."""
DEMO_TURN = "demo-turn"
"""A file of this name in the data folder is held by whoever plays the world outside of a demo."""
SECRET_KEY_LENGTH = 16
"""Characters a secret key has at least."""

_WANTED = {
    "var": "It names a folder.",
    "database_url": "Give sqlite:////folder/waybill.db or postgresql+psycopg://user:password@host:5432/database.",
    "broker_url": "Give amqp://user:password@host:5672/vhost, or amqps:// for an encrypted connection.",
    "secret_key": f"It is a random text of {SECRET_KEY_LENGTH} characters or more.",
    "webhook_secret": "It is base64, with or without whsec_ in front.",
    "demo": "It is true or false.",
    "demo_speed": "It is a number from 0 (the bank and couriers stop) to 100; 1 is usual.",
    "PORT": "It is a whole number from 1 to 65535.",
    "public_url": "Give the address that customers open, e.g. https://orders.example.com.",
    "smtp_url": "Give smtp://user:password@host:25, smtp+starttls://user:password@host:587 or smtps://….",
    "consent": "It is true or false.",
    "worker_threads": "It is a whole number from 1 to 64.",
    "api_calls_per_minute": "It is a whole number from 60 to 1000000.",
    "time_zone": "Give a zone of the tz database, such as Europe/Berlin or UTC.",
    "locale": "Give a language and region that the pages have texts for, such as en, en_US or en_DE.",
    "claim_hours": "It is a number of hours, more than 0 and at most 8760.",
}
"""What each variable may hold. The wrong value itself is not repeated: it may be a secret."""


class WrongSetting(WaybillError):
    """A setting that is missing or cannot be used."""


class Settings(BaseSettings):
    """Read from `WAYBILL_…` and `PORT`; an empty variable counts as not set.

    Use `load`, which also reads what a demo folder keeps.
    """

    model_config = SettingsConfigDict(
        env_prefix="WAYBILL_", frozen=True, extra="ignore", populate_by_name=True, env_ignore_empty=True
    )

    var: Path = Path("var")
    """The data folder: SQLite database, documents, outbox, the embedded counterparties' ledgers."""
    database_url: str = Field(default="", repr=False)
    """SQLAlchemy address; by default SQLite in the data folder."""
    broker_url: str = Field(default="", repr=False)
    """Address of a RabbitMQ that wakes workers on other machines; without one each process looks for work itself."""
    secret_key: str = Field(default="", repr=False)
    """Signs sessions. Required outside demo mode."""
    webhook_secret: str = Field(default="", repr=False)
    """Signs messages from outside (Standard Webhooks, `whsec_` and base64). Without one no message is accepted."""
    demo: bool = False
    """Demo users and simulated counterparties; the server binds to loopback only."""
    demo_speed: float = Field(default=1.0, ge=0, le=100, allow_inf_nan=False)
    """How fast the demo's bank and couriers answer: 1 is within seconds, 0 stops them."""
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535, validation_alias="PORT")
    public_url: str = ""
    """Where customers reach the tracking page; by default the server's own address."""
    smtp_url: str = Field(default="", repr=False)
    """Mail server, e.g. `smtp+starttls://user:password@host:587`; without one mails stay in the local outbox."""
    consent: bool = True
    """Whether a second analyst must consent before a change of a process is deployed."""
    worker_threads: int = Field(default=4, ge=1, le=64)
    api_calls_per_minute: int = Field(default=6000, ge=60, le=1_000_000)
    """Calls of the API that one token or session may give in a minute, in each web process."""
    time_zone: str = "UTC"
    """The company's time zone; each person may choose another."""
    locale: str = "en"
    """The company's language and region, by which texts, dates and numbers are written; each may choose another."""
    claim_hours: float = Field(default=8, gt=0, le=8760, allow_inf_nan=False)
    """How long nothing may happen to a claimed task until its team gets it back."""

    @field_validator("var")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @field_validator("database_url")
    @classmethod
    def _database(cls, value: str) -> str:
        """SQLite in a file or PostgreSQL; the addresses that hosters give name no driver."""
        if not value:
            return value
        try:
            url = make_url(value)
        except ArgumentError:
            raise ValueError from None  # its text repeats the address, and with it the password
        if url.drivername in ("postgres", "postgresql"):
            url = url.set(drivername="postgresql+psycopg")
        in_a_file = url.drivername in ("sqlite", "sqlite+pysqlite") and url.database not in (None, "", ":memory:")
        if not in_a_file and url.drivername != "postgresql+psycopg":
            raise ValueError
        return url.render_as_string(hide_password=False)

    @field_validator("broker_url")
    @classmethod
    def _broker(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in ("amqp", "amqps") or not parts.hostname or parts.port == 0):
            raise ValueError  # so does `port` when it is no number
        return value

    @field_validator("webhook_secret")
    @classmethod
    def _base64(cls, value: str) -> str:
        if value and not base64.b64decode(value.removeprefix("whsec_") + "==", validate=False):
            raise ValueError
        return value

    @field_validator("public_url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise ValueError
        return value

    @field_validator("smtp_url")
    @classmethod
    def _mail_server(cls, value: str) -> str:
        if value:
            SmtpTransport(value)
        return value

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, value: str) -> str:
        if value not in zones():
            raise ValueError
        return value

    @field_validator("locale")
    @classmethod
    def _locale(cls, value: str) -> str:
        value = value.replace("-", "_")
        if not is_locale(value):
            raise ValueError
        return value

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
        return (self.var / DEMO_MARK).is_file()

    def mark_demo(self) -> None:
        """Makes the data folder a demo's for good."""
        (self.var / DEMO_MARK).write_text("This folder is a demo's. Demo users and their password work here.\n")

    def require_restored(self) -> None:
        """WrongSetting when a restore into the data folder was broken off."""
        if (self.var / UNFINISHED_RESTORE).exists():
            raise WrongSetting(f"A restore into {self.var} was broken off. Give the same `waybill restore` again: it "
                               "is finished then.")

    def require_secret_key(self) -> None:
        """WrongSetting when sessions could not be signed."""
        if len(self.secret_key) < SECRET_KEY_LENGTH:
            state = "is too short" if self.secret_key else "is missing"
            raise WrongSetting(
                f"WAYBILL_SECRET_KEY {state}: set it to a random text of {SECRET_KEY_LENGTH} characters or more."
            )


def load(**overrides: Any) -> Settings:
    """The settings of this start. A data folder that an earlier start marked as demo stays demo.

    WrongSetting names the variable that cannot be used.
    """
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        wanted = next((text for field, text in _WANTED.items() if field.lower() == name.lower()), "")
        variable = "PORT" if name.upper() == "PORT" else f"WAYBILL_{name.upper()}"
        raise WrongSetting(f"{variable} cannot be used. {wanted}".rstrip()) from None
    try:
        _require_writable(settings.var)
        return _with_demo(settings)
    except OSError as error:
        raise WrongSetting(
            f"WAYBILL_VAR cannot be used: nothing can be written in {settings.var} ({error.strerror}). "
            "Name a folder that this user may write to."
        ) from None


def _require_writable(folder: Path) -> None:
    """Makes the data folder. OSError when nothing could be kept in it."""
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(13, os.strerror(13))


def _with_demo(settings: Settings) -> Settings:
    if not settings.demo and not settings.is_marked_demo:
        return settings
    return settings.model_copy(update={
        "demo": True,
        "host": "127.0.0.1",
        "secret_key": settings.secret_key or _kept(settings.var / "secret-key", secrets.token_urlsafe(32)),
        "webhook_secret": settings.webhook_secret or _kept(settings.var / "webhook-secret", _webhook_secret()),
    })


def _webhook_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()


def _kept(path: Path, fresh: str) -> str:
    """What the file holds; the first to come writes it, readable by its owner alone.

    It gets its name only when it is complete, so that no start finds half a secret, not even after a power cut.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    if not path.exists():
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(fresh + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass  # another process was first: its secret holds
        except OSError:
            draft.replace(path)  # a file system without hard links
        finally:
            draft.unlink(missing_ok=True)
    return path.read_text(encoding="utf-8", errors="replace").strip()
