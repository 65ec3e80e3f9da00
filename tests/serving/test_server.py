"""`rote serve` as a person calls it: the address it prints, how it ends, and what it refuses."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import call_rote
from tests.serving.conftest import Runs

from rote.errors import ConfigError
from rote.serving.app import Pages
from rote.serving.asker import Asker
from rote.serving.server import Place, is_loopback, open_place, serve_forever


def test_the_printed_address_opens_it_and_ctrl_c_ends_it(runs: Runs) -> None:
    command = [sys.executable, "-m", "rote", "serve", str(runs.first), "--compare", str(runs.second)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        printed = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)(/\?token=[\w-]{43}) ", printed)
        assert found, printed
        connection = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=30)
        connection.request("GET", "/facts")
        refused = connection.getresponse()
        assert (refused.status, b"token" in refused.read()) == (403, True)
        assert refused.getheader("server") is None
        connection.request("GET", found[2])
        entered = connection.getresponse()
        entered.read()
        cookie = (entered.getheader("set-cookie") or "").split(";")[0]
        connection.request("GET", "/compare", headers={"Cookie": cookie})
        assert connection.getresponse().status == 200
    finally:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "")
    assert "token" not in err
    assert "Traceback" not in err


def test_a_reader_who_leaves_sets_the_models_free(pages: Pages, asker: Asker) -> None:
    class Endless(Asker):
        def answer(self, *_: Any, **__: Any) -> Iterator[dict[str, Any]]:
            while True:
                time.sleep(0.01)
                yield {"kind": "text", "side": "taught", "text": "and on"}

    def ask(place: Place) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", place.port, timeout=30)
        headers = {"Cookie": f"rote_{place.port}={place.token}", "Origin": f"http://127.0.0.1:{place.port}"}
        connection.request("POST", "/ask", '{"question": "Who?"}', headers)
        return connection.getresponse()

    app = Pages(pages.run, Endless(asker.models)).build_app()
    with open_place("127.0.0.1", 0) as place:
        listening = threading.Event()
        threading.Thread(target=lambda: serve_forever(app, place, on_start=listening.set), daemon=True).start()
        assert listening.wait(30)
        first = ask(place)
        assert first.readline()
        assert ask(place).status == 503
        first.close()
        deadline = time.monotonic() + 30
        while (status := ask(place).status) == 503 and time.monotonic() < deadline:
            time.sleep(0.05)
    assert status == 200


def test_two_places_have_two_tokens_and_two_cookies() -> None:
    with open_place("127.0.0.1", 0) as first, open_place("127.0.0.1", 0) as second:
        assert first.token != second.token
        assert len(first.token) == 43
        assert first.hosts == {f"127.0.0.1:{first.port}", f"localhost:{first.port}"}
        assert first.hosts.isdisjoint(second.hosts)


def test_the_port_that_browsers_leave_out_may_be_left_out() -> None:
    with socket.socket() as listener:
        assert Place(listener, "127.0.0.1", 80, "token").hosts >= {"127.0.0.1", "localhost:80"}
        assert "127.0.0.1" not in Place(listener, "127.0.0.1", 81, "token").hosts


@pytest.mark.parametrize("host", ["0", "0.0.0.0", "::0"])
def test_every_address_at_once_is_refused_however_it_is_written(host: str) -> None:
    with pytest.raises(ConfigError, match=f"--host {host}"), open_place(host, 0):
        pass


@pytest.mark.parametrize("host", ["0.0.0.0", "::", ""])
def test_every_address_at_once_is_refused(host: str, runs: Runs) -> None:
    outcome = call_rote("serve", runs.first, "--host", host)
    assert (outcome.code, outcome.out) == (2, "")
    assert "name the one address" in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_port_that_is_taken_is_one_line(runs: Runs) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        outcome = call_rote("serve", runs.first, "--port", str(taken.getsockname()[1]))
    assert outcome.code == 2
    assert "choose another port" in outcome.err


def test_what_is_no_run_is_one_line(tmp_path: Path, runs: Runs) -> None:
    for words in (("serve", tmp_path), ("serve", runs.first, "--compare", tmp_path)):
        outcome = call_rote(*words)
        assert (outcome.code, outcome.err.count("\n")) == (2, 1), outcome.err
        assert "is not a run folder" in outcome.err


def test_a_base_that_is_named_and_not_there_is_one_line(runs: Runs, tmp_path: Path) -> None:
    outcome = call_rote("serve", runs.first, "--base", tmp_path / "gone")
    assert outcome.code == 2
    assert "gone" in outcome.err.splitlines()[-1]


def test_a_host_beyond_this_machine_brings_a_warning(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Serving itself is left out: it ends with Ctrl-C alone. `gethostname` names no loopback address to the server."""
    monkeypatch.setattr("rote.serving.server.serve_forever", lambda app, place, on_start: on_start())
    beyond, within = (call_rote("serve", runs.first, "--host", host) for host in (socket.gethostname(), "127.0.0.1"))
    assert (beyond.code, within.code) == (0, 0), beyond.err
    assert f"warning: whoever reaches {socket.gethostname()}" in beyond.err
    assert "warning: whoever" not in within.err


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True), ("10.0.0.1", False), ("pc", False)],
)
def test_which_hosts_this_machine_alone_reaches(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.skipif(not os.path.exists("/proc/net/if_inet6"), reason="this machine has no IPv6")
def test_an_address_of_ipv6_stands_in_brackets() -> None:
    try:
        with open_place("::1", 0) as place:
            assert place.address.startswith(f"http://[::1]:{place.port}/?token=")
            assert f"[::1]:{place.port}" in place.hosts
    except ConfigError:
        pytest.skip("this machine has no IPv6")


def test_a_port_is_taken_from_the_moment_it_is_opened() -> None:
    said = r"cannot be listened at \(Address already in use\); choose another port"
    with (
        open_place("127.0.0.1", 0) as place,
        pytest.raises(ConfigError, match=said),
        open_place("127.0.0.1", place.port),
    ):
        pass
