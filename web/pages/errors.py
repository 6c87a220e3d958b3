"""Errors as pages: what is wrong and what to do, in the look of the rest. Calls of the API get theirs as JSON."""

from __future__ import annotations

from typing import Any

import structlog
from flask import Flask, Response, abort, current_app, g, make_response, redirect, render_template, request, url_for
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from engine import errors as engine_errors
from handlers.contract import Problem, Refused, TryAgain, WaybillError
from web import problems
from web.auth import current_person
from web.names import named
from web.permissions import PUBLIC
from web.texts import N_, _

log = structlog.get_logger(__name__)

_WORDS = {
    400: (N_("This request cannot be read"), N_("Go back and try again.")),
    401: (N_("Sign in first"), N_("This page is for people of the house.")),
    403: (
        N_("You may not do this"),
        N_("Your teams do not have this permission. Ask someone who has, or the administrator."),
    ),
    404: (N_("There is nothing here"), N_("The address is wrong, or what it names is not yours to see.")),
    405: (N_("This address takes no such request"), N_("Go back and use the buttons of the page.")),
    409: (N_("Somebody was faster"), N_("Nothing was changed. Look at it again.")),
    413: (N_("This is too much"), N_("Send less in one go.")),
    415: (N_("This cannot be read"), N_("Send it as a form.")),
    422: (N_("Something in the form is not right"), N_("Go back and put it right.")),
    429: (N_("Too many tries"), N_("Wait a few minutes, then try again.")),
    500: (
        N_("Something went wrong here"),
        N_("It is not your fault, and it was noted. Nothing was changed. Try again."),
    ),
    503: (N_("Not available now"), N_("Try again in a moment.")),
}


_TYPED_AGAIN = {
    "password": N_("Your password, once more"), "code": N_("Your code, once more"),
    "new_password": N_("The new password"),
    "new_password_again": N_("The new password, once more"),
}
"""Fields that are never sent back to the browser, and what they are called where they are typed again."""


def init_errors(app: Flask) -> None:
    """Joins the error pages to the app."""
    app.before_request(_readable)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(WaybillError, _refused)
    app.register_error_handler(engine_errors.DatabaseTrouble, _trouble)
    app.register_error_handler(Exception, _unforeseen)


def error_page(status: int, title: str | None = None, detail: str | None = None, **values: Any) -> Response:
    """An error as a page."""
    words = _WORDS.get(status, _WORDS[500 if status >= 500 else 400])
    body = _drawn("error.html", status=status, title=title or _(words[0]), detail=detail or _(words[1]), **values)
    return make_response(body, status)


def _drawn(template: str, **values: Any) -> str:
    """An error's page, in the look for strangers when the database cannot say who is asking."""
    try:
        return render_template(template, **values)
    except engine_errors.DatabaseTrouble:
        g.person = None
        return render_template(template, **values)


def _readable() -> None:
    """No address of a page holds a NUL, and a database fails at one."""
    if "\x00" in request.path and not _is_call():
        abort(404)


def _is_call() -> bool:
    return request.path.startswith("/api/")


def _http(error: HTTPException) -> Any:
    code = error.code or 500
    if error.response is not None or code < 400:
        return error.get_response()
    if _is_call():
        return problems.response(problems.problem_of_http(error))
    if code == 401:
        if request.headers.get("HX-Request"):
            return make_response("", 401)
        return _to_sign_in()
    if isinstance(error, CSRFError) and current_person() is None and not _is_public():
        # signed out while filling in: the draft is with the task, and what was not saved yet is in the browser
        return _to_sign_in()
    if code == 405 and request.method == "GET" and (page := _page_of_form()):
        return redirect(page)  # a form was refused at its own address, and somebody went back to it
    if isinstance(error, CSRFError):
        return error_page(
            400, _("This page was open too long"), _("Load it again and repeat what you did; nothing was changed.")
        )
    if request.path.startswith("/track/"):
        return make_response(_drawn("track_error.html", failed=code >= 500), code)
    if code == 429 and request.endpoint == "pages.enter":
        from web.pages.sign_in import too_many

        answer = too_many()
    else:
        answer = error_page(code)
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            answer.headers[name] = value
    return answer


def _is_public() -> bool:
    view = current_app.view_functions.get(request.endpoint or "")
    return getattr(view, "__permission__", None) == PUBLIC


def _to_sign_in() -> Any:
    """To the sign-in, and from there back to the page that was asked for, or that held the form."""
    target = request.full_path.rstrip("?") if request.method == "GET" else _page_of_form()
    return redirect(url_for("pages.sign_in", next=target) if target != "/" else url_for("pages.sign_in"))


def _page_of_form() -> str | None:
    """The page that holds the form whose address was asked for: the address itself, else the nearest page above it."""
    adapter, path = current_app.url_map.bind(""), request.path
    while path:
        try:
            endpoint, _args = adapter.match(path, method="GET")
        except HTTPException:
            endpoint = ""
        if endpoint.startswith("pages."):
            return path + request.full_path.removeprefix(request.path).rstrip("?")
        path = path.rpartition("/")[0]
    return None


def _refused(error: WaybillError) -> Any:
    problem = problems.problem_of(error)
    if _is_call():
        return problems.response(problem)
    status = problem.kind.status
    if status == 404 or status >= 500:
        return error_page(status)
    known = isinstance(error, (engine_errors.EngineError, Problem, Refused, TryAgain))
    return error_page(status, detail=named(error) if known else None)


def _trouble(trouble: engine_errors.DatabaseTrouble) -> Any:
    """Says what is the matter without asking the database, and keeps what a person sent for another try."""
    log.warning("database", path=request.path, trouble=trouble.sentence, cause=trouble.cause)
    if _is_call():
        return problems.response(problems.problem_of(trouble))
    g.person = None  # the shell around a page is drawn from the database
    if request.path.startswith("/track/"):
        answer = make_response(_drawn("track_error.html", failed=True), 503)
    else:
        kept = [pair for pair in request.form.items(multi=True) if pair[0] not in _TYPED_AGAIN]
        answer = error_page(
            503, _("The database cannot be used now"), str(trouble),
            back=None if request.method == "POST" else request.full_path.rstrip("?"), back_text=_("Try again"),
            kept=kept, typed_again={name: _(said) for name, said in _TYPED_AGAIN.items() if name in request.form},
        )
    answer.headers["Retry-After"] = str(trouble.retry_after)
    return answer


def _unforeseen(error: Exception) -> Any:
    log.exception("page failed", path=request.path, error=type(error).__name__)
    if _is_call():
        return problems.response(problems.ApiProblem("failed"))
    if request.path.startswith("/track/"):
        return make_response(_drawn("track_error.html", failed=True), 500)
    return error_page(500)
