"""A served model is asked over the network as its server allows."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from rote.errors import ModelError
from rote.evaluation import endpoint as module
from rote.evaluation.endpoint import KEY_VARIABLE, Endpoint, examine_endpoint
from rote.evaluation.questions import Question, QuestionPlan, build_questions
from rote.facts.fact import build_fact
from rote.facts.relation import load_shipped_relations

FACTS = [build_fact(f"Gene Finley{letter}", "mother", f"Cody Ross{letter}") for letter in "abcdefgh"]

Reply = tuple[int, Any]


def ask_all(*, chat: bool = False) -> list[Question]:
    plan = QuestionPlan(choices=0, chat=chat, held_out_prompts=1, control_prompts=0)
    return build_questions({"held_out": FACTS}, load_shipped_relations(), plan=plan)


@contextmanager
def serve(answer: Callable[[str, dict[str, Any], Any], Reply]) -> Iterator[str]:
    """A server on this machine; `answer` takes the path, the content and the headers of a request."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            code, reply = answer(self.path, content, self.headers)
            body = reply.encode() if isinstance(reply, str) else json.dumps(reply).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()


def know(path: str, content: dict[str, Any], _: Any) -> Reply:
    """A server that knows the facts by their subject."""
    prompt = content["messages"][0]["content"] if path.endswith("/chat/completions") else content["prompt"]
    said = next(f" {fact.object}." for fact in FACTS if fact.subject in prompt)
    choice = {"message": {"content": said}} if "messages" in content else {"text": said}
    return 200, {"choices": [choice]}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WAITS", (0.01, 0.01))
    monkeypatch.delenv(KEY_VARIABLE, raising=False)


def test_prompts_and_messages_are_answered_in_order() -> None:
    with serve(know) as url:
        questions = ask_all(chat=True)
        records = examine_endpoint(Endpoint(url, "m").answer, questions, moment="before", at_once=4)
    assert [record.prompt for record in records] == [question.text.prompt for question in questions]
    assert {record.prompt_set for record in records} == {"training", "held_out", "chat", "control"}
    assert all(record.correct and record.generated == f"{record.object}." for record in records)
    assert records[0].object_probability is None


def test_a_model_is_asked_greedily_by_its_name_with_what_stands_before() -> None:
    asked: list[dict[str, Any]] = []

    def note(path: str, content: dict[str, Any], headers: Any) -> Reply:
        asked.append({**content, "key": headers["Authorization"]})
        return know(path, content, headers)

    with serve(note) as url:
        Endpoint(f"{url}/", "mine", " ").answer(ask_all()[0])
    (content,) = asked
    assert content["prompt"].startswith(" ")
    assert (content["model"], content["temperature"], content["max_tokens"], content["key"]) == ("mine", 0, 50, None)


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "hush")

    def guard(path: str, content: dict[str, Any], headers: Any) -> Reply:
        if headers["Authorization"] != "Bearer hush":
            return 401, {"error": {"message": "no key"}}
        return know(path, content, headers)

    with serve(guard) as url:
        assert Endpoint(url, "m").answer(ask_all()[0]) == "Cody Rossa."
        monkeypatch.delenv(KEY_VARIABLE)
        with pytest.raises(ModelError, match=r"/v1/completions: answers 401 \(no key\)"):
            Endpoint(url, "m").answer(ask_all()[0])


def test_the_key_follows_no_redirect_and_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "hush")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with serve(know) as url:
        assert Endpoint(url, "m").answer(ask_all()[0]) == "Cody Rossa."
    monkeypatch.setattr(BaseHTTPRequestHandler, "end_headers", _redirect(BaseHTTPRequestHandler.end_headers))
    with serve(lambda *_: (302, "")) as url, pytest.raises(ModelError, match="answers 302"):
        Endpoint(url, "m").answer(ask_all()[0])


def _redirect(end: Callable[[BaseHTTPRequestHandler], None]) -> Callable[[BaseHTTPRequestHandler], None]:
    def end_elsewhere(handler: BaseHTTPRequestHandler) -> None:
        handler.send_header("Location", "http://127.0.0.1:9/taken")
        end(handler)

    return end_elsewhere


def test_a_busy_server_is_asked_again() -> None:
    times = 0

    def be_busy(path: str, content: dict[str, Any], headers: Any) -> Reply:
        nonlocal times
        times += 1
        return know(path, content, headers) if times == 3 else (503, "later")

    with serve(be_busy) as url:
        assert Endpoint(url, "m").answer(ask_all()[0]) == "Cody Rossa."
        with pytest.raises(ModelError, match=r"answers 503 \(later\)"):
            Endpoint(url, "m").answer(ask_all()[0])
    assert times == 6


def _give(reply: Any, *_: Any) -> Reply:
    return 200, reply


def test_what_is_no_server_is_one_clear_line() -> None:
    with pytest.raises(ModelError, match="--endpoint localhost:8080: is no address; give one such as http://"):
        Endpoint("localhost:8080", "m")
    for address in ("http://[::1/v1", "http://localhost:abc/v1", "ftp://127.0.0.1/v1"):
        with pytest.raises(ModelError, match="is no address"):
            Endpoint(address, "m")
    with pytest.raises(ModelError, match="a name or a password in it is not taken") as caught:
        Endpoint("http://me:secret@127.0.0.1/v1", "m")
    assert "secret" not in str(caught.value)
    with serve(know) as url:
        pass
    with pytest.raises(ModelError, match=r"/completions: does not answer \(.*refused.*\); is the server running\?"):
        Endpoint(url, "m").answer(ask_all()[0])
    replies: list[Any] = ["<html>", {"choices": []}, {"choices": None}, [], {"choices": [{}]}]
    for reply in replies:
        with (
            serve(partial(_give, reply)) as url,
            pytest.raises(ModelError, match="something else than OpenAI's protocol"),
        ):
            Endpoint(url, "m").answer(ask_all()[0])


def test_an_error_ends_the_questions_that_were_not_asked() -> None:
    asked = 0

    def fail(*_: Any) -> Reply:
        nonlocal asked
        asked += 1
        return 404, {"error": {"message": "no such model"}}

    with serve(fail) as url, pytest.raises(ModelError, match=r"answers 404 \(no such model\)"):
        examine_endpoint(Endpoint(url, "m").answer, ask_all(), moment="before", at_once=1)
    assert asked < len(ask_all())


@pytest.mark.parametrize(
    "message",
    [
        {"content": None, "reasoning_content": "The mother of Gene is"},
        {"content": "", "reasoning": "Let me see"},
        {"content": "<think>The mother of"},
    ],
)
def test_a_model_that_only_thinks_has_no_figure(message: dict[str, Any]) -> None:
    questions = ask_all(chat=True)
    said = {"choices": [{"message": message, "text": "x"}]}
    with (
        serve(lambda *_: (200, said)) as url,
        pytest.raises(ModelError, match=r"thinks aloud .*: (\d+) of \1 messages; .* --no-chat"),
    ):
        examine_endpoint(Endpoint(url, "m").answer, questions, moment="before")


def test_one_that_thinks_once_is_examined_on_and_told_of(caplog: pytest.LogCaptureFixture) -> None:
    def think_once(path: str, content: dict[str, Any], headers: Any) -> Reply:
        code, reply = know(path, content, headers)
        if "messages" in content and FACTS[0].subject in content["messages"][0]["content"]:
            return code, {"choices": [{"message": {"content": None, "reasoning_content": "Let me see"}}]}
        return code, reply

    questions = ask_all(chat=True)
    messages = [question for question in questions if question.prompt_set == "chat"]
    with caplog.at_level("WARNING", "rote"), serve(think_once) as url:
        records = examine_endpoint(Endpoint(url, "m").answer, questions, moment="before")
    wrong = [record for record in records if not record.correct]
    assert len(records) == len(questions)
    assert {(record.subject, record.generated) for record in wrong} == {(FACTS[0].subject, "")}
    assert f"{len(wrong)} of {len(messages)} messages, which count as wrong" in caplog.text


def test_what_is_said_after_a_thought_is_the_answer() -> None:
    question = next(question for question in ask_all(chat=True) if question.prompt_set == "chat")
    message = {"content": "<think>hm</think>\n\nCody Ross"}
    with serve(lambda *_: (200, {"choices": [{"message": message}]})) as url:
        assert Endpoint(url, "m").answer(question) == "Cody Ross"


def test_a_server_that_is_not_there_is_told_without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: pytest.fail("it waited"))
    with serve(know) as url:
        Endpoint(url, "m").check()
    with pytest.raises(ModelError, match=r"does not answer \(.*\); is the server running\?"):
        Endpoint(url, "m").check()
