"""Who may look: loopback is open to this machine alone, any other address asks for a token."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import urllib.parse

import flask

COOKIE = "qd_token"


def is_loopback(host: str) -> bool:
    """Whether an address or name can only be reached from this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def new_token() -> str:
    """One that nobody guesses."""
    return secrets.token_urlsafe(24)


class Gate:
    """Checks every request before anything else is done with it.

    Args:
        token: that must come with a request, once in the address (?token=...) and then as a cookie; None on loopback.
            There the host that the browser asked for must be loopback too, so that a foreign page cannot have its own
            name point here and read along.
    """

    def __init__(self, token: str | None) -> None:
        self._token = token

    def guard(self, server: flask.Flask) -> None:
        """Stand before every request of a server."""
        server.before_request(self._check)
        server.after_request(_harden)

    def _check(self) -> flask.Response | None:
        request = flask.request
        if self._token is None:
            host = urllib.parse.urlsplit(f"//{request.host}").hostname or ""
            return None if is_loopback(host) else _refusal(403, "This page is for 127.0.0.1 and localhost alone.")
        given = request.args.get("token")
        if given is not None and self._is_right(given):
            clean = urllib.parse.urlencode([(key, value) for key, value in request.args.items() if key != "token"])
            answer = flask.make_response(flask.redirect(request.path + (f"?{clean}" if clean else "")))
            answer.set_cookie(COOKIE, given, httponly=True, samesite="Strict")
            return answer
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if self._is_right(request.cookies.get(COOKIE, "")) or self._is_right(bearer):
            return None
        return _refusal(401, "A token is needed: open the address that qd serve printed when it started.")

    def _is_right(self, given: str) -> bool:
        return self._token is not None and hmac.compare_digest(given.encode(), self._token.encode())


def _refusal(status: int, text: str) -> flask.Response:
    answer = flask.make_response(text + "\n", status)
    answer.mimetype = "text/plain"
    if status == 401:
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def _harden(answer: flask.Response) -> flask.Response:
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["X-Frame-Options"] = "DENY"
    # Styles are written by Plotly and Dash as they go; scripts are our own files and those of known digest.
    answer.headers["Content-Security-Policy"] = flask.current_app.config["QD_POLICY"]
    return answer
