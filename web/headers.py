"""What every answer tells the browser about safety. Scripts come from this server alone; nothing inline runs."""

from __future__ import annotations

from flask import Flask, Response, g, request

_BASE = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "frame-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
# bpmn-js writes style attributes into the markup it makes; only pages with a diagram allow them
_DIAGRAM = {**_BASE, "style-src-attr": "'unsafe-inline'"}
# the editors draw with style attributes too, and make a picture of a diagram from an address of its own
_TOOL = {**_DIAGRAM, "img-src": "'self' data: blob:", "font-src": "'self' data:"}
_MAIL = {
    "sandbox": "",
    "default-src": "'none'",
    "style-src": "'unsafe-inline'",
    "img-src": "data:",
    "frame-ancestors": "'self'",
}
_POLICIES = {"page": _BASE, "diagram": _DIAGRAM, "tool": _TOOL, "mail": _MAIL}


def use_policy(name: str) -> None:
    """Chooses the policy of this answer: page (the usual), diagram, tool (the modeler's pages), or mail
    (sandboxed, may do nothing)."""
    g.policy = _POLICIES[name]


def init_headers(app: Flask) -> None:
    """Adds the headers to every answer."""

    @app.after_request
    def secure(response: Response) -> Response:
        policy = getattr(g, "policy", _BASE)
        headers = response.headers
        headers.setdefault("Content-Security-Policy", "; ".join(f"{k} {v}".strip() for k, v in policy.items()))
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("X-Frame-Options", "SAMEORIGIN" if policy is _MAIL else "DENY")
        headers.setdefault("Referrer-Policy", "same-origin")
        headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
        if request.is_secure:
            headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        if request.endpoint != "static":
            headers.setdefault("Cache-Control", "no-store")
        return response
