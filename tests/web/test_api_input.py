"""What the API reads: JSON that has one meaning, signatures that fit, passwords that are not guessed."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook
from werkzeug.datastructures import Headers

from engine import errors as engine_errors
from handlers.contract import FieldError, WaybillError
from handlers.contract import Problem as FormProblem
from tests.web.api_world import World
from web import problems, webhooks
from web.api import strict_json
from web.api.models import cursor_of, read_cursor
from web.attempts import Attempts

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
SECRET = "whsec_" + base64.b64encode(b"a secret of some thirty-two bytes").decode()


# --- JSON ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"{", "not JSON"),
        (b"\xff\xfe{}", "UTF-8"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', "c” twice"),
        (b'{"a": ' + b"9" * 5000 + b"}", "too long"),
        (b"[" * 100_000, "deeper"),
    ],
)
def test_a_text_without_one_meaning_is_no_json(raw: bytes, says: str) -> None:
    """Readers must not disagree about what was sent."""
    with pytest.raises(strict_json.NotJsonError, match=says):
        strict_json.parse(raw)


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (rb'{"a": {"b": ["x", "\u0000"]}}', "/a/b/1"),
        (rb'{"a": "\ud800"}', "/a"),
        (rb'{"\udc00": 1}', "/\\udc00"),
        (b'{"a": 1e400}', "/a"),
        (b'{"a": 99999999999999999999}', "/a"),
        (b'{"a": ' + b"[" * 50 + b"]" * 50 + b"}", "/a" + "/0" * 31),
    ],
)
def test_values_that_cannot_be_kept_are_named(raw: bytes, field: str) -> None:
    """What a database or another reader would refuse or change is refused first, by its place."""
    with pytest.raises(strict_json.BadValuesError) as caught:
        strict_json.parse(raw)

    assert [error.field for error in caught.value.errors] == [field]
    json.dumps([error.field for error in caught.value.errors]).encode()


def test_what_is_well_formed_is_read() -> None:
    """A pair of surrogates is one character, and a number at the limit is a number."""
    assert strict_json.parse(rb'{"a": "\ud83d\ude00", "n": 9007199254740992}') == {"a": "😀", "n": 2**53}


def test_pointers_escape_their_parts() -> None:
    """RFC 6901: `~` and `/` inside a key are written ~0 and ~1."""
    assert strict_json.pointer("items", 0, "a/b~c") == "/items/0/a~1b~0c"


# --- cursors ---------------------------------------------------------------------------------------------------------


def test_a_cursor_comes_back_as_it_was_given() -> None:
    """The client returns `next` as it is."""
    assert read_cursor(cursor_of("product-a", "europe"), str, str) == ("product-a", "europe")


@pytest.mark.parametrize("cursor", ["x", "€", "W10", cursor_of(1), cursor_of("a", 2), cursor_of(True, True), "A" * 500])
def test_a_foreign_cursor_is_bad_input(cursor: str) -> None:
    """A made-up cursor is a 422, never an error of ours."""
    with pytest.raises(problems.ApiProblem) as caught:
        read_cursor(cursor, str, str)

    assert caught.value.kind.status == 422


# --- signatures ------------------------------------------------------------------------------------------------------


def signed(raw: bytes, at: datetime = NOW, secret: str = SECRET, message_id: str = "msg-1") -> Headers:
    return Headers(
        {
            "webhook-id": message_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": Webhook(secret).sign(message_id, at, raw.decode()),
        }
    )


def test_a_signed_message_is_taken() -> None:
    """Also when the sender signs with two keys while it changes them."""
    headers = signed(b'{"id": "msg-1"}')
    headers["webhook-signature"] = "v1,AAAA v2,xyz " + headers["webhook-signature"]

    assert webhooks.verify(SECRET, b'{"id": "msg-1"}', headers, NOW) == "msg-1"


@pytest.mark.parametrize("minutes", [-6, 6])
def test_an_old_or_early_message_is_refused(minutes: int) -> None:
    """A recorded message cannot be played again."""
    with pytest.raises(problems.ApiProblem, match="five minutes"):
        webhooks.verify(SECRET, b"{}", signed(b"{}", NOW + timedelta(minutes=minutes)), NOW)


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("webhook-id", "msg-2"),
        ("webhook-signature", "v1,"),
        ("webhook-signature", "v1"),
        ("webhook-signature", "v1,€€"),
        ("webhook-signature", ""),
        ("webhook-timestamp", "soon"),
        ("webhook-timestamp", "1e9"),
        ("webhook-timestamp", "9" * 40),
    ],
)
def test_a_header_that_does_not_fit_is_refused(header: str, value: str) -> None:
    """Whatever a stranger writes into the headers is a 401, never an error of ours."""
    headers = signed(b"{}")
    headers[header] = value

    with pytest.raises(problems.ApiProblem) as caught:
        webhooks.verify(SECRET, b"{}", headers, NOW)

    assert caught.value.kind.status == 401


def test_one_changed_byte_breaks_the_signature() -> None:
    """The signature covers the raw body."""
    with pytest.raises(problems.ApiProblem, match="No signature fits"):
        webhooks.verify(SECRET, b'{"amount": 2}', signed(b'{"amount": 1}'), NOW)


# --- attempts --------------------------------------------------------------------------------------------------------


def test_passwords_cannot_be_guessed() -> None:
    """After five wrong ones a person waits until the first is five minutes past; others do not."""
    attempts = Attempts()
    for second in range(5):
        assert attempts.wait_seconds("anna", NOW) == 0
        attempts.failed("anna", NOW + timedelta(seconds=second))

    assert attempts.wait_seconds("anna", NOW + timedelta(minutes=4)) == 60
    assert attempts.wait_seconds("priya", NOW) == 0
    assert attempts.wait_seconds("anna", NOW + timedelta(minutes=5)) == 0


def test_a_right_password_clears_the_count() -> None:
    """Whoever knows it was only mistyping."""
    attempts = Attempts(allowed=2)
    attempts.failed("anna", NOW)
    attempts.succeeded("anna")
    attempts.failed("anna", NOW)

    assert attempts.wait_seconds("anna", NOW) == 0


# --- problems --------------------------------------------------------------------------------------------------------


def every(root: type[WaybillError]) -> set[type[WaybillError]]:
    return {root}.union(*(every(child) for child in root.__subclasses__()))


def test_every_conflict_and_refusal_has_a_status_of_its_own(world: World) -> None:
    """No error that the engine raises on purpose becomes a 500, save those that are our own fault."""
    ours = {engine_errors.EngineError, engine_errors.ExpressionError}
    raised = {one for one in every(engine_errors.EngineError) if one.__module__ == "engine.errors"} - ours
    made = {
        engine_errors.TakenByAnother: engine_errors.TakenByAnother("priya"),
        engine_errors.InvalidForm: engine_errors.InvalidForm([FieldError("/a", "no")]),
        engine_errors.CannotDeploy: engine_errors.CannotDeploy([]),
        engine_errors.DraftChanged: engine_errors.DraftChanged("why", by="ines", at=datetime.now(UTC), revision=2),
        engine_errors.DatabaseTrouble: engine_errors.DatabaseTrouble("why", kind="full", cause="why", retry_after=1),
    }

    with world.app.app_context():  # who is named is looked up
        statuses = {one.__name__: problems.problem_of(made.get(one) or one("why")).kind.status for one in raised}

    assert {name: status for name, status in statuses.items() if status >= 500} == {
        "DatabaseAhead": 503, "DatabaseBehind": 503, "DatabaseTrouble": 503,
    }


def test_types_end_as_the_contract_names_them() -> None:
    """Clients compare the end of `type`."""
    slugs = {
        engine_errors.SeparationOfDuties: "separation-of-duties",
        engine_errors.NotAnApprover: "not-an-approver",
        engine_errors.StaleSnapshot: "stale-snapshot",
        engine_errors.AlreadyDecided: "already-decided",
    }

    assert {one: problems.problem_of(one("why")).kind.type.rpartition("/")[2] for one in slugs} == slugs


def test_an_unforeseen_error_tells_nothing_of_the_inside() -> None:
    """A path, a query or a secret in an error's text stays in the log."""
    body = problems.response(problems.problem_of(WaybillError("/srv/secret"))).get_data(as_text=True)

    assert "secret" not in body


def test_bad_fields_are_listed_up_to_a_limit() -> None:
    """A body with a hundred thousand faults gets a short answer."""
    problem = problems.problem_of(FormProblem(*(FieldError(f"/{n}", "no") for n in range(100_000))))

    assert len(json.loads(problems.response(problem).get_data())["errors"]) == problems.MOST_ERRORS
