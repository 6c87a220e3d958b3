"""Errors as `application/problem+json` (RFC 9457): one catalogue of types, one mapping of every error to a type."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from flask import Flask, Response
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from engine import errors as engine_errors
from handlers.contract import FieldError, Problem, Refused, TryAgain, WaybillError
from handlers.orders import KeyReused, NoSuchOrder
from web.names import named
from web.permissions import PUBLIC, permission

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
MOST_ERRORS = 100
"""A body with more faults than this names the first ones only."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of problem. Its page is `/problems/<slug>`."""

    slug: str
    status: int
    title: str
    explanation: str

    @property
    def type(self) -> str:
        return f"/problems/{self.slug}"


KINDS = {
    kind.slug: kind
    for kind in (
        Kind("not-signed-in", 401, "Not signed in", "Send a bearer token, or sign in and send the session's cookie."),
        Kind("bad-signature", 401, "The message is not signed as it must be",
             "Sign the raw body with the shared secret as Standard Webhooks say; within five minutes."),
        Kind("not-allowed", 403, "Not allowed", "You may see this, but not do it. Ask someone of the team that may."),
        Kind("out-of-scope", 403, "The token is not for this",
             "A token does what its scopes name. Make one with the scope that `detail` names."),
        Kind("csrf", 403, "The CSRF token is missing or too old",
             "A call with the session's cookie that changes something needs the header X-CSRFToken."),
        Kind("wrong-password", 403, "Wrong password", "Signing a gate asks for your own password again."),
        Kind("wrong-code", 403, "The code is missing or wrong",
             "Whoever has a second factor signs with a code of the app, or a recovery code, beside the password."),
        Kind("separation-of-duties", 403, "Whoever worked on the order may not sign it",
             "A gate is signed by people who did no task of the order before it. Leave it to another approver."),
        Kind("not-an-approver", 403, "Not an approver of this gate", "Only the gate's own team signs it."),
        Kind("own-version", 403, "Whoever made a version may not consent to it",
             "Two people see a change of a process. Another analyst or an administrator must consent to this one."),
        Kind("not-found", 404, "Not found", "It is not there, or not yours to see."),
        Kind("method-not-allowed", 405, "Method not allowed", "The header Allow names what this address takes."),
        Kind("conflict", 409, "Conflict", "Somebody or something was faster; nothing was changed. Read it again."),
        Kind("already-done", 409, "Already done", "The task is done or was withdrawn; nothing was changed."),
        Kind("taken", 409, "Taken by another", "Another person has claimed the task; nothing was changed."),
        Kind("stale-revision", 409, "Changed meanwhile",
             "What you looked at is older than what is stored. Read it again."),
        Kind("stale-snapshot", 409, "The submission changed",
             "What you looked at is not what would be signed now. Read the task again and decide on what it shows."),
        Kind("already-decided", 409, "Already decided", "The gate was decided, or you have signed it already."),
        Kind("too-late", 409, "Too late to cancel", "The order has passed the point from which it can be cancelled."),
        Kind("stale-base", 409, "A newer version exists",
             "The change was made on top of another version than the newest. Redo it on the newest."),
        Kind("nothing-changed", 409, "Nothing changed", "The version it builds on has this content already."),
        Kind("draft-changed", 409, "Somebody else has changed the draft",
             "`by` has saved it `at` that time, as `revision`. Read it again; nothing was overwritten."),
        Kind("key-reused", 409, "The Idempotency-Key was used with another body",
             "A key stands for one order. Use a new key for another order."),
        Kind("refused", 409, "Refused", "A rule of the business refuses it; nothing was changed."),
        Kind("too-large", 413, "Too large", "Send less in one request."),
        Kind("wrong-content-type", 415, "Wrong content type",
             "Send application/json, or multipart/form-data where the document says so."),
        Kind("bad-input", 422, "Bad input",
             "`errors` names each field by JSON pointer and says what is wrong with it."),
        Kind("cannot-deploy", 422, "The bundle cannot be deployed",
             "`findings` holds every problem, each with its element."),
        Kind("too-many", 429, "Too many attempts", "Wait as long as the header Retry-After says, in seconds."),
        Kind("bad-request", 400, "Bad request", "The server could not read the request."),
        Kind("failed", 500, "Something went wrong here", "It is not your fault and was logged. Nothing was changed."),
        Kind("try-again", 503, "Not available now", "Try again later."),
    )
}  # fmt: skip


class ApiProblem(Exception):
    """An error that a call answers with. `slug` is one of `KINDS`."""

    def __init__(
        self,
        slug: str,
        detail: str | None = None,
        *,
        errors: Iterable[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        self.kind = KINDS[slug]
        self.detail = detail or self.kind.explanation
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.extra = extra
        super().__init__(self.detail)


def bad_input(*errors: FieldError, detail: str | None = None) -> ApiProblem:
    """A 422 that names its fields."""
    return ApiProblem("bad-input", detail or summary(errors), errors=errors)


def summary(errors: Sequence[FieldError]) -> str:
    """One sentence about the fields that are wrong."""
    if len(errors) == 1:
        return f"{errors[0].field or 'The body'}: {errors[0].message}"
    return f"{len(errors)} fields are wrong."


# The first class that fits counts, so subclasses stand before their parents.
_SLUGS: tuple[tuple[type[WaybillError], str], ...] = (
    (engine_errors.NotFound, "not-found"),
    (engine_errors.SeparationOfDuties, "separation-of-duties"),
    (engine_errors.NotAnApprover, "not-an-approver"),
    (engine_errors.OwnVersion, "own-version"),
    (engine_errors.NotAllowed, "not-allowed"),
    (engine_errors.AlreadyDecided, "already-decided"),
    (engine_errors.AlreadyDone, "already-done"),
    (engine_errors.TakenByAnother, "taken"),
    (engine_errors.DraftChanged, "draft-changed"),
    (engine_errors.StaleRevision, "stale-revision"),
    (engine_errors.StaleSnapshot, "stale-snapshot"),
    (engine_errors.TooLate, "too-late"),
    (engine_errors.StaleBase, "stale-base"),
    (engine_errors.NothingChanged, "nothing-changed"),
    (engine_errors.Conflict, "conflict"),
    (engine_errors.InvalidForm, "bad-input"),
    (engine_errors.CannotDeploy, "cannot-deploy"),
    (engine_errors.DatabaseBehind, "try-again"),
    (engine_errors.DatabaseAhead, "try-again"),
    (engine_errors.DatabaseTrouble, "try-again"),
    (KeyReused, "key-reused"),
    (NoSuchOrder, "not-found"),
    (Problem, "bad-input"),
    (Refused, "refused"),
    (TryAgain, "try-again"),
)


def problem_of(error: WaybillError) -> ApiProblem:
    """What a call answers when `error` came out of a command. One that nobody foresaw is logged."""
    slug = next((slug for type_, slug in _SLUGS if isinstance(error, type_)), "failed")
    if slug == "failed":
        log.error("unforeseen", error=type(error).__name__, exc_info=error)
        return ApiProblem("failed")
    if isinstance(error, (engine_errors.InvalidForm, Problem)):
        return bad_input(*error.errors)
    if isinstance(error, engine_errors.EngineError) and error.who is not None:
        return _about_somebody(slug, error)
    if isinstance(error, engine_errors.StaleBase):
        return ApiProblem(slug, str(error), base_version=error.base, newest_version=error.newest)
    if isinstance(error, engine_errors.DatabaseTrouble):
        return ApiProblem(slug, str(error), headers={"Retry-After": str(error.retry_after)})
    if isinstance(error, engine_errors.CannotDeploy):
        return cannot_deploy(error.findings)
    if isinstance(error, Refused):
        return ApiProblem(slug, error.message, code=error.code)
    return ApiProblem(slug, str(error))


def _about_somebody(slug: str, error: engine_errors.EngineError) -> ApiProblem:
    """A problem whose `detail` says a person's display name, and whose `who` is the user name."""
    more: dict[str, Any] = {}
    if isinstance(error, engine_errors.TakenByAnother):
        more = {"assignee": error.who}
    if isinstance(error, engine_errors.DraftChanged):
        more = {"by": error.by, "at": _utc(error.at), "revision": error.revision}
    return ApiProblem(slug, named(error), who=error.who, **more)


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def cannot_deploy(findings: Sequence[engine_errors.Finding]) -> ApiProblem:
    """A 422 with every finding, also as plain `errors` whose field is the file's name."""
    return ApiProblem(
        "cannot-deploy",
        "1 problem." if len(findings) == 1 else f"{len(findings)} problems.",
        errors=[FieldError(f"/{finding.file}", f"{finding.message} {finding.advice}") for finding in findings],
        findings=[finding_body(finding) for finding in findings],
    )


def finding_body(finding: engine_errors.Finding) -> dict[str, Any]:
    """A finding as JSON."""
    return {
        "file": finding.file,
        "element": finding.element,
        "name": finding.name,
        "line": finding.line,
        "rule": finding.rule,
        "message": finding.message,
        "advice": finding.advice,
        "severity": finding.severity,
        "fix": finding.fix,
        "label": finding.label,
        "others": [{"fix": other.fix, "label": other.label} for other in finding.others],
    }


_BY_STATUS = {
    400: "bad-request", 401: "not-signed-in", 403: "not-allowed", 404: "not-found", 405: "method-not-allowed",
    409: "conflict", 413: "too-large", 415: "wrong-content-type", 422: "bad-input", 429: "too-many", 503: "try-again",
}  # fmt: skip


def problem_of_http(error: HTTPException) -> ApiProblem:
    """The problem for an error that Flask or Werkzeug raised."""
    slug = _BY_STATUS.get(error.code or 500, "failed" if (error.code or 500) >= 500 else "bad-request")
    headers = {}
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return ApiProblem(slug, headers=headers)


def body(problem: ApiProblem) -> dict[str, Any]:
    """The problem as JSON."""
    said: dict[str, Any] = {
        "type": problem.kind.type,
        "title": problem.kind.title,
        "status": problem.kind.status,
        "detail": problem.detail,
    }
    if problem.errors:
        said["errors"] = [{"field": e.field, "message": e.message} for e in problem.errors[:MOST_ERRORS]]
    return {**said, **problem.extra}


def response(problem: ApiProblem) -> Response:
    """The problem as an answer."""
    answer = Response(json.dumps(body(problem), ensure_ascii=True), problem.kind.status, content_type=MEDIA_TYPE)
    if problem.kind.status == 401:
        answer.headers["WWW-Authenticate"] = 'Bearer realm="waybill"'
    answer.headers.update(problem.headers)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def register_problem_pages(app: Flask) -> None:
    """`GET /problems/<slug>`: what a problem's `type` means, in plain text."""

    @permission(PUBLIC)
    def show_problem(slug: str) -> Response:
        kind = KINDS.get(slug)
        if kind is None:
            return Response("No such problem.\n", 404, content_type="text/plain; charset=utf-8")
        return Response(
            f"{kind.title} ({kind.status})\n\n{kind.explanation}\n", content_type="text/plain; charset=utf-8"
        )

    app.add_url_rule("/problems/<slug>", "show_problem", show_problem)
