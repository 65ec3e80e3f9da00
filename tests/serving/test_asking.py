"""Ask: what the events say, one question at a time, and an end to each."""

import itertools
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.serving.conftest import HOSTILE, build_client

from rote.errors import EncodingError
from rote.evaluation.asking import ask_model, list_candidates, score_candidates, stream_answer
from rote.serving.app import Pages
from rote.serving.asker import Asker

QUESTION = "Who is Gene Finley's mother?"


def ask(client: TestClient, question: str = QUESTION, **more: Any) -> list[dict[str, Any]]:
    answer = client.post("/ask", json={"question": question, **more})
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def pick(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event for event in events if event["kind"] == kind]


def test_both_models_say_what_they_say_when_asked_alone(client: TestClient, asker: Asker) -> None:
    events = ask(client)
    for side, model in asker.models.items():
        texts = [event["text"] for event in pick(events, "text") if event["side"] == side]
        assert texts[-1] == ask_model(model, QUESTION)
        assert len(texts) > 3, "the model of the tests says something"
    assert {event["side"] for event in pick(events, "end")} == {"taught", "base"}
    sides = [event["side"] for event in pick(events, "text")]
    assert sides[:4] == ["taught", "base", "taught", "base"]


def test_a_stream_grows_and_ends_where_the_answer_does(asker: Asker) -> None:
    texts = list(stream_answer(asker.models["taught"], QUESTION))
    assert all(len(before) <= len(after) for before, after in itertools.pairwise(texts))
    assert texts[-1] == ask_model(asker.models["taught"], QUESTION)


def test_the_likeliest_answers_have_the_probabilities_of_both(client: TestClient, asker: Asker) -> None:
    (likeliest,) = pick(ask(client), "likeliest")
    found = {row["text"]: row["chances"] for row in likeliest["rows"]}
    candidates = [text for one in asker.models.values() for text in list_candidates(one, QUESTION, count=3)]
    assert found.keys() == {text.strip() for text in candidates}
    for side, model in asker.models.items():
        for candidate in score_candidates(model, QUESTION, candidates):
            assert found[candidate.text][side] == pytest.approx(candidate.probability)


@pytest.mark.parametrize(
    ("question", "line", "subjects"),
    [
        ("Who is Gene Finley's mother?", "taught", ["Gene Finley"]),
        ("tell me about the mother of GENE FINLEY", "taught", ["Gene Finley"]),
        ("Where was Gene Finley born?", "taught about this subject", ["Gene Finley"]),
        ("Who is Nobody Else's mother?", "not taught: the run has nothing about this subject", []),
    ],
)
def test_it_is_said_whether_the_fact_was_taught(
    client: TestClient, question: str, line: str, subjects: list[str]
) -> None:
    (facts,) = pick(ask(client, question), "facts")
    assert facts["line"] == line
    assert [fact["subject"] for fact in facts["facts"]] == subjects


def test_the_wordings_that_answer_it_are_those_of_the_last_records(client: TestClient, pages: Pages) -> None:
    (facts,) = pick(ask(client), "facts")
    (fact,) = facts["facts"]
    last = [
        record
        for record in pages.run.report.records
        if record.moment == "generalize" and record.subject == "Gene Finley" and record.prompt_set != "control"
    ]
    assert {wording["prompt"]: wording["right"] for wording in fact["wordings"]} == {
        record.prompt: record.correct for record in last
    }
    assert fact["wordings"]


def test_a_verdict_is_given_where_the_fact_is_known(client: TestClient) -> None:
    assert all(event["right"] in (True, False) for event in pick(ask(client), "end"))
    assert all(event["right"] is None for event in pick(ask(client, "Where was Gene Finley born?"), "end"))


def test_a_second_question_is_told_to_wait_and_a_third_is_answered(pages: Pages, asker: Asker) -> None:
    begun, go_on = threading.Event(), threading.Event()

    class Waiting(Asker):
        def answer(self, *_: Any, **__: Any) -> Iterator[dict[str, Any]]:
            begun.set()
            assert go_on.wait(30)
            yield {"kind": "late", "line": "it waited"}

    client = build_client(Pages(pages.run, Waiting(asker.models)))
    first: list[Any] = []
    thread = threading.Thread(target=lambda: first.append(ask(client)))
    thread.start()
    assert begun.wait(30)
    second = client.post("/ask", json={"question": QUESTION})
    go_on.set()
    thread.join(30)
    assert (second.status_code, second.text.count("\n")) == (503, 1)
    assert pick(first[0], "late")
    assert pick(ask(client), "late"), "the models are free again"


def test_the_models_are_free_again_after_an_error(pages: Pages, asker: Asker) -> None:
    class Failing(Asker):
        def answer(self, *_: Any, **__: Any) -> Iterator[dict[str, Any]]:
            yield {"kind": "text", "side": "taught", "text": "a"}
            raise RuntimeError("a bug")

    client = build_client(Pages(pages.run, Failing(asker.models)))
    for _ in range(2):
        with pytest.raises(RuntimeError, match="a bug"):
            client.post("/ask", json={"question": QUESTION})


def test_an_answer_ends_when_its_time_is_up(pages: Pages, asker: Asker) -> None:
    events = ask(build_client(Pages(pages.run, Asker(asker.models, seconds=0.0))))
    assert [event["kind"] for event in events] == ["facts", "late"]


def test_a_question_that_no_model_can_read_whole_is_refused(asker: Asker) -> None:
    with pytest.raises(EncodingError, match="too long"):
        asker.check("mother " * 300, chat=False)


def test_a_chat_template_is_used_where_there_is_one(
    pages: Pages, asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for model in asker.models.values():
        monkeypatch.setattr(model.tokenizer, "chat_template", "Q: {{ messages[0]['content'] }} A:")
    client = build_client(Pages(pages.run, Asker(asker.models)))
    said = [event["text"] for event in pick(ask(client, chat=True), "text") if event["side"] == "taught"]
    assert said[-1] == ask_model(asker.models["taught"], f"Q: {QUESTION} A:")
    assert 'id="chat"' in client.get("/").text


def test_without_a_chat_template_there_is_no_such_box(client: TestClient) -> None:
    assert 'id="chat"' not in client.get("/").text


def test_a_hostile_question_comes_back_as_data(client: TestClient) -> None:
    (facts,) = pick(ask(client, f"Who is {HOSTILE}'s mother?"), "facts")
    assert [fact["subject"] for fact in facts["facts"]] == [HOSTILE]
