"""Each rule of the guard, with a request that breaks that one alone."""

import secrets
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.cli.conftest import list_tree
from tests.serving.conftest import COOKIE, HOST, TOKEN, Runs, build_client

from rote.serving.app import MAX_QUESTION, Pages
from rote.serving.guard import MAX_BODY, MAX_QUERY

ADDRESSES = ("/", "/facts", "/facts/0", "/side-effects", "/compare", "/static/serve.js", "/static/report.css", "/no")


@pytest.mark.parametrize("address", ADDRESSES)
def test_nothing_is_shown_without_the_token(pages: Pages, address: str) -> None:
    for cookie in ("", f"{COOKIE}=", f"{COOKIE}=wrong", f"{COOKIE}={TOKEN}x", f"other={TOKEN}", "broken;;=;\x7f"):
        answer = build_client(pages, Cookie=cookie).get(address)
        assert (answer.status_code, answer.text.count("token")) == (403, 1), cookie


def test_the_printed_address_leaves_a_cookie_that_opens_the_pages(pages: Pages) -> None:
    client = build_client(pages, Cookie="")
    entered = client.get(f"/?token={TOKEN}")
    kept = entered.headers["set-cookie"].lower()
    assert entered.status_code == 200
    assert {"httponly", "samesite=strict", "path=/"} <= {part.strip() for part in kept.split(";")}
    assert TOKEN not in entered.text
    assert client.get("/facts").status_code == 200
    assert build_client(pages, Cookie="").get("/?token=wrong").status_code == 403
    assert build_client(pages, Cookie="").get(f"/facts?token={TOKEN}").status_code == 403


def test_the_token_is_compared_in_constant_time(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(first: bytes, second: bytes) -> bool:
        compared.append((first, second))
        return first == second

    monkeypatch.setattr(secrets, "compare_digest", compare)
    build_client(pages, Cookie=f"{COOKIE}=guess").get("/")
    assert (b"guess", TOKEN.encode()) in compared


@pytest.mark.parametrize(
    "host", ["evil.example:8000", "127.0.0.1", "127.0.0.1:8001", "127.0.0.1.evil.example:8000", "LOCALHOST:8000", ""]
)
def test_another_host_is_refused(pages: Pages, host: str) -> None:
    client = build_client(pages)
    client.headers["Host"] = host
    assert client.get("/").status_code == 421


def test_two_hosts_are_refused(pages: Pages) -> None:
    client = build_client(pages)
    answer = client.get("/", headers=[("Host", HOST), ("Host", "evil.example")])
    assert answer.status_code == 421


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", f"https://{HOST}", "http://127.0.0.1:8001", "http://localhost:8000"]
)
def test_a_page_of_another_origin_can_ask_and_read_nothing(pages: Pages, origin: str) -> None:
    client = build_client(pages, Origin=origin)
    assert client.get("/facts").status_code == 403
    assert client.post("/ask", json={"question": "Who?"}).status_code == 403


def test_a_question_needs_an_origin_and_a_page_does_not(pages: Pages) -> None:
    client = build_client(pages, Origin="")
    assert client.get("/facts").status_code == 200
    assert client.post("/ask", json={"question": "Who?"}).status_code == 403


@pytest.mark.parametrize("address", [*ADDRESSES, f"/?token={TOKEN}", "/facts?page=x"])
def test_every_answer_carries_the_headers(client: TestClient, pages: Pages, address: str) -> None:
    for answer in (client.get(address), build_client(pages, Cookie="", Origin="http://evil.example").get(address)):
        rules = {rule.split()[0]: rule.split()[1:] for rule in answer.headers["content-security-policy"].split(";")}
        assert rules == {
            "default-src": ["'none'"],
            **{f"{kind}-src": ["'self'"] for kind in ("script", "style", "connect", "img")},
            "form-action": ["'self'"],
            "base-uri": ["'none'"],
            "frame-ancestors": ["'none'"],
        }
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in answer.headers


def test_requests_have_a_size(client: TestClient) -> None:
    assert client.post("/ask", content=b"x" * (MAX_BODY + 1)).status_code == 413
    assert client.post("/ask", content=iter([b"{}"])).status_code == 411
    assert client.get("/facts", params={"q": "x" * MAX_QUERY}).status_code == 414
    assert client.post("/ask", json={"question": "x" * (MAX_QUESTION + 1)}).status_code == 400


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_other_methods_are_refused(client: TestClient, method: str) -> None:
    assert client.request(method, "/").status_code == 405


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"\xff",
        b"[" * 4000,
        b'{"question": 1}',
        b'{"question": "Who?", "model": "gpt2"}',
        b'{"question": "Who?", "path": "/etc/passwd"}',
        b'{"question": "  "}',
        b'{"question": "Who?", "chat": true}',
    ],
)
def test_what_is_no_question_is_one_line(client: TestClient, body: bytes) -> None:
    answer = client.post("/ask", content=body)
    assert (answer.status_code, answer.text.count("\n")) == (400, 1), answer.text


@pytest.mark.parametrize(
    "address",
    ["/static/../guard.py", "/static/%2e%2e%2fguard.py", "/static/..%2f..%2ferrors.py", "/static//etc/passwd"],
)
def test_a_path_from_a_client_opens_no_file(client: TestClient, address: str) -> None:
    assert client.get(address).status_code == 404


def test_nothing_is_written(client: TestClient, runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = list_tree(runs.first)
    for address in ADDRESSES:
        client.get(address)
    assert client.post("/ask", json={"question": "Gene Finley's mother is"}).status_code == 200
    assert list_tree(runs.first) == before
    assert list(tmp_path.iterdir()) == []
