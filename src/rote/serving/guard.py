"""Who may ask at all, and what a browser may do with the answer.

A page of somebody else's that is open in the same browser can send requests to this machine too. So a request needs the
token that was printed, names this server as its `Host` (a name that was made to point here does not), and where it
changes anything its own pages as its `Origin`.
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY = 8_192
"""Bytes of a request's body."""
MAX_QUERY = 2_048
"""Bytes of an address behind its question mark."""
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "form-action 'self'",
    )
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
# A redirect would still count as coming from wherever the link was clicked, and a strict cookie would not be sent.
_ENTER = """<!DOCTYPE html>
<meta http-equiv="refresh" content="0;url=/">
<link rel="icon" href="/static/icon.svg">
<title>rote</title>
<a href="/">Go on</a>
"""


@dataclass(frozen=True)
class Guard:
    """Lets through what comes from a person who has the token, and puts the headers on every answer.

    `hosts` are the values of `Host` that name this server, each with its port.
    """

    app: ASGIApp
    token: str
    hosts: frozenset[str]
    cookie: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            answer = self._refuse(scope) or self._enter(scope)
            await (answer or self.app)(scope, receive, _add_headers(send))

    def _refuse(self, scope: Scope) -> Response | None:
        """The answer to a request that goes no further, but for those that lack the token."""
        headers = Headers(scope=scope)
        host, origins = headers.getlist("host"), headers.getlist("origin")
        if len(host) != 1 or host[0] not in self.hosts:
            return _say(421, "this server does not have that name; open the address that was printed")
        if scope["method"] not in ("GET", "HEAD", "POST"):
            return _say(405, "pages are read, questions are posted; nothing else is done here")
        if origins != [f"http://{host[0]}"] and (origins or scope["method"] == "POST"):
            return _say(403, "asked from a page of somebody else's; open the address that was printed")
        return _check_size(scope, headers)

    def _enter(self, scope: Scope) -> Response | None:
        """None for whoever has shown the token before; the page that keeps it for whoever shows it now."""
        shown = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])
        if scope["path"] == "/" and scope["method"] == "GET" and self._knows(shown):
            page = HTMLResponse(_ENTER)
            page.set_cookie(self.cookie, self.token, httponly=True, samesite="strict", path="/")
            return page
        if self._knows(_read_cookies(Headers(scope=scope).getlist("cookie"), self.cookie)):
            return None
        return _say(403, "open the address that rote serve printed, with its token")

    def _knows(self, shown: Iterable[str]) -> bool:
        """In a time that tells nothing of the token."""
        found = [secrets.compare_digest(text.encode("utf-8"), self.token.encode("utf-8")) for text in shown]
        return any(found)


def _check_size(scope: Scope, headers: Headers) -> Response | None:
    length = headers.get("content-length", "0")
    if "transfer-encoding" in headers:
        return _say(411, "say how long the body is")
    if not (length.isascii() and length.isdigit()) or int(length[:20]) > MAX_BODY:
        return _say(413, f"the body is longer than {MAX_BODY:,} bytes")
    if len(scope["query_string"]) > MAX_QUERY:
        return _say(414, f"the address is longer than {MAX_QUERY:,} bytes")
    return None


def _read_cookies(headers: Iterable[str], name: str) -> list[str]:
    found = []
    for header in headers:
        try:
            cookies = SimpleCookie(header)
        except CookieError:
            continue
        found += [cookies[name].value] if name in cookies else []
    return found


def _say(status: int, line: str) -> Response:
    return PlainTextResponse(f"{line}\n", status)


def _add_headers(send: Send) -> Send:
    async def pass_on(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(_HEADERS)
        await send(message)

    return pass_on
