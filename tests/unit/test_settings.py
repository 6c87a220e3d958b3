"""Settings: what a wrong one says, and what a demo folder keeps."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from settings import Settings, WrongSetting, load


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No variable of the person who runs the tests counts."""
    for name in [*Settings.model_fields, "var"]:
        monkeypatch.delenv(f"WAYBILL_{name.upper()}", raising=False)
    monkeypatch.delenv("PORT", raising=False)
    monkeypatch.setenv("WAYBILL_VAR", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(("variable", "value"), [
    ("PORT", "abc"), ("PORT", "0"), ("PORT", "70000"),
    ("WAYBILL_DEMO", "maybe"),
    ("WAYBILL_DEMO_SPEED", "-1"), ("WAYBILL_DEMO_SPEED", "nan"), ("WAYBILL_DEMO_SPEED", "inf"),
    ("WAYBILL_WORKER_THREADS", "0"), ("WAYBILL_WORKER_THREADS", "many"),
    ("WAYBILL_DATABASE_URL", "nonsense"), ("WAYBILL_DATABASE_URL", "mysql://u:hush@host/db"),
    ("WAYBILL_DATABASE_URL", "sqlite://"), ("WAYBILL_DATABASE_URL", "postgresql+psycopg://u:hush@host:abc/db"),
    ("WAYBILL_DATABASE_URL", "postgresql+psycopg2://u:hush@host/db"),
    ("WAYBILL_WEBHOOK_SECRET", "#"), ("WAYBILL_WEBHOOK_SECRET", "whsec_"), ("WAYBILL_WEBHOOK_SECRET", "whsec_hush1"),
    ("WAYBILL_SMTP_URL", "http://u:hush@host"), ("WAYBILL_SMTP_URL", "smtp://u:hush/@host"),
    ("WAYBILL_PUBLIC_URL", "orders.example.com"), ("WAYBILL_PUBLIC_URL", "https://[bad"),
    ("WAYBILL_TIME_ZONE", "Berlin"), ("WAYBILL_TIME_ZONE", "../etc/passwd"),
    ("WAYBILL_LOCALE", "english"), ("WAYBILL_LOCALE", "de_DE"), ("WAYBILL_LOCALE", "en_US.UTF-8"),
    ("WAYBILL_BROKER_URL", "nonsense"), ("WAYBILL_BROKER_URL", "redis://u:hush@host"),
    ("WAYBILL_BROKER_URL", "amqp://u:hush@"), ("WAYBILL_BROKER_URL", "amqp://u:hush@host:abc"),
    ("WAYBILL_BROKER_URL", "amqp://u:hush@[bad"),
])  # fmt: skip
def test_a_wrong_value_is_one_line_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """Whoever set it reads which variable is wrong and what it may hold, and never the secret itself."""
    monkeypatch.setenv(variable, value)

    with pytest.raises(WrongSetting) as wrong:
        load()

    said = str(wrong.value)
    assert said.startswith(variable)
    assert "\n" not in said
    assert "hush" not in said
    assert wrong.value.__cause__ is None


@pytest.mark.parametrize("inside", ["/proc/waybill", "{tmp}/file/var"])
def test_a_folder_that_cannot_be_written_is_named(
    monkeypatch: pytest.MonkeyPatch, folder: Path, inside: str
) -> None:
    """The data folder must be there or be made."""
    (folder / "file").write_text("")
    monkeypatch.setenv("WAYBILL_VAR", inside.format(tmp=folder))

    with pytest.raises(WrongSetting, match=r"^WAYBILL_VAR cannot be used: nothing can be written in "):
        load()


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """`PORT= waybill run` and a variable that a service file leaves empty mean the default."""
    for variable in ("PORT", "WAYBILL_DEMO", "WAYBILL_DATABASE_URL", "WAYBILL_HOST"):
        monkeypatch.setenv(variable, "")

    settings = load()

    assert (settings.port, settings.demo, settings.host) == (8000, False, "127.0.0.1")
    assert settings.database.startswith("sqlite:///")


@pytest.mark.parametrize("given", ["postgres://u:p%40ss@db/shop", "postgresql://u:p%40ss@db/shop"])
def test_a_hosters_address_of_postgresql_is_understood(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    """Hosters name no driver; the password stays as it was."""
    monkeypatch.setenv("WAYBILL_DATABASE_URL", given)

    assert load().database == "postgresql+psycopg://u:p%40ss@db/shop"


@pytest.mark.parametrize(("key", "said"), [("", "is missing"), ("short", "is too short")])
def test_outside_the_demo_a_secret_key_is_required(monkeypatch: pytest.MonkeyPatch, key: str, said: str) -> None:
    """Sessions of a real shop are never signed with a key that can be guessed."""
    monkeypatch.setenv("WAYBILL_SECRET_KEY", key)

    with pytest.raises(WrongSetting, match=f"^WAYBILL_SECRET_KEY {said}"):
        load().require_secret_key()


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that end up in a log or a traceback show no password and no key."""
    monkeypatch.setenv("WAYBILL_DATABASE_URL", "postgresql+psycopg://u:hush@db/shop")
    monkeypatch.setenv("WAYBILL_SMTP_URL", "smtp://u:hush@mail.example")
    monkeypatch.setenv("WAYBILL_BROKER_URL", "amqp://u:hush@broker/waybill")
    monkeypatch.setenv("WAYBILL_SECRET_KEY", "hush" * 8)
    monkeypatch.setenv("WAYBILL_WEBHOOK_SECRET", "whsec_hushhush")

    settings = load()

    assert "hush" not in repr(settings)
    assert "hush" not in str(settings)


def test_a_demo_makes_its_secrets_once_and_keeps_them(folder: Path) -> None:
    """Later starts on the same folder read them; nobody else on the machine can."""
    first = load(demo=True)
    first.mark_demo()
    later = load()

    assert later.demo
    first.require_secret_key()
    assert first.webhook_secret.startswith("whsec_")
    assert (later.secret_key, later.webhook_secret) == (first.secret_key, first.webhook_secret)
    assert {stat.S_IMODE((folder / name).stat().st_mode) for name in ("secret-key", "webhook-secret")} == {0o600}
    assert sorted(path.name for path in folder.iterdir()) == ["demo", "secret-key", "webhook-secret"]


def test_a_demo_is_reached_from_this_machine_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its passwords are public, so no host that is asked for opens it to others."""
    monkeypatch.setenv("WAYBILL_HOST", "0.0.0.0")

    assert load().host == "0.0.0.0"
    assert load(demo=True).host == "127.0.0.1"


def test_a_key_of_the_environment_goes_before_the_demos_own(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Whoever gives a key means it; none is made then."""
    monkeypatch.setenv("WAYBILL_SECRET_KEY", "given-by-the-environment")

    assert load(demo=True).secret_key == "given-by-the-environment"
    assert not (folder / "secret-key").exists()


def test_a_folder_named_demo_is_no_mark(folder: Path) -> None:
    """Only the file that a demo writes makes a folder a demo's."""
    (folder / "demo").mkdir()

    assert not load().demo
