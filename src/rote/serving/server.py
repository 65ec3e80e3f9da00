"""The server on this machine: its address, its token, and uvicorn."""

import ipaddress
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp

from rote.errors import ConfigError
from rote.serving.guard import Guard

_MAX_HEADERS = 16_384
"""Bytes of a request before its body."""
_HTTP = 80
_AT_ONCE = 32
"""Connections."""


@dataclass(frozen=True)
class Place:
    """Where the server listens, and the token that its address has."""

    listener: socket.socket
    host: str
    port: int
    token: str

    @property
    def address(self) -> str:
        """The address to open."""
        return f"http://{_write_host(self.host)}:{self.port}/?token={self.token}"

    @property
    def hosts(self) -> frozenset[str]:
        """What a request may name as its host: the address itself, and for one of this machine alone its name too."""
        names = {_write_host(self.host), *(("localhost",) if is_loopback(self.host) else ())}
        ports = (f":{self.port}", *([""] if self.port == _HTTP else []))  # which browsers leave out
        return frozenset(f"{name}{port}" for name in names for port in ports)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a host."""
    return host == "localhost" or _is_loopback_address(host)


def _is_loopback_address(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextmanager
def open_place(host: str, port: int) -> Iterator[Place]:
    """Listen on a port, or on any that is free for 0. Raises `ConfigError` where that cannot be done, or where the host
    is every address of the machine: a request has to name the one it came for."""
    if host in ("", "0.0.0.0", "::", "*"):
        raise ConfigError(
            f"--host {host or repr(host)}: name the one address that pages are opened at, such as 127.0.0.1"
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
            listener.listen()  # before the address is told, so that whoever opens it at once waits and is not refused
        except OSError as error:
            raise ConfigError(
                f"--host {host} --port {port}: cannot be listened at ({error.strerror or error}); choose another port, "
                "or an address of this machine"
            ) from error
        if ipaddress.ip_address(listener.getsockname()[0]).is_unspecified:  # as by `0`, which is every address too
            raise ConfigError(f"--host {host}: stands for every address; name the one that pages are opened at")
        yield Place(listener, host.lower(), listener.getsockname()[1], secrets.token_urlsafe(32))


def guard(app: ASGIApp, place: Place) -> Guard:
    """An application as this place serves it. Cookies do not tell ports apart, so the cookie's name does."""
    return Guard(app, place.token, place.hosts, cookie=f"rote_{place.port}")


def serve_forever(app: ASGIApp, place: Place, *, on_start: Callable[[], None]) -> None:
    """Serve until Ctrl-C. Nothing is logged: the address of the first request holds the token."""
    config = uvicorn.Config(
        guard(app, place),
        log_level="error",
        access_log=False,
        server_header=False,
        http="h11",
        ws="none",
        h11_max_incomplete_event_size=_MAX_HEADERS,
        limit_concurrency=_AT_ONCE,
        timeout_graceful_shutdown=1,
        proxy_headers=False,
    )
    on_start()
    with suppress(KeyboardInterrupt):  # which is raised again once all is closed
        uvicorn.Server(config).run(sockets=[place.listener])


def _write_host(host: str) -> str:
    return f"[{host}]" if ":" in host else host
