"""`rote examine --endpoint`: what a server said is kept, and not asked for again."""

from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import call_rote
from tests.evaluation.test_endpoint import Reply, serve

from rote.records import load_records

WORDS = ("--set", "examine.languages=[en]", "--set", "examine.known_facts=1", "--at-once", "1", "--no-chat")


def test_a_served_model_is_examined_and_the_same_command_goes_on(workplace: Path) -> None:
    asked: list[str] = []
    broken = True

    def answer(_: str, content: dict[str, Any], __: Any) -> Reply:
        if broken and len(asked) == 5:
            return 400, {"error": {"message": "out of memory"}}
        asked.append(content["prompt"])
        return 200, {"choices": [{"text": " Cody Ross"}]}

    with serve(answer) as url:
        words = ("examine", "served", "facts.csv", "--endpoint", url, "--out", "served.parquet", *WORDS)
        first = call_rote(*words)
        assert first.code == 2
        assert first.err.splitlines()[-1].endswith("/v1/completions: answers 400 (out of memory)")
        assert not (workplace / "served.parquet").exists()
        broken = False
        second = call_rote(*words)
        assert second.code == 0, second.err
    records = load_records(workplace / "served.parquet")
    assert sorted(asked) == sorted({record.prompt for record in records})  # each once, over both calls
    assert {record.subject for record in records if record.correct} == {"Gene Finley"}
    assert "held-out prompts" in second.out
    assert not list(workplace.glob("*.jsonl"))


def test_a_server_that_never_answered_leaves_no_file(workplace: Path) -> None:
    with serve(lambda *_: (400, {"error": {"message": "no"}})) as url:
        outcome = call_rote("examine", "m", "facts.csv", "--endpoint", url, "--out", "served.parquet", *WORDS)
    assert outcome.code == 2
    assert [path.name for path in workplace.iterdir() if path.name.startswith("served")] == []


def test_a_place_that_cannot_be_written_to_is_one_line(workplace: Path) -> None:
    with serve(lambda *_: (200, {"choices": [{"text": "x"}]})) as url:
        outcome = call_rote("examine", "m", "facts.csv", "--endpoint", url, "--out", "facts.csv/a.parquet", *WORDS)
        assert outcome.code == 2
        assert outcome.err.startswith("rote: facts.csv/a.parquet: cannot be written (nothing can be made in ")
        there = call_rote("examine", "m", "facts.csv", "--endpoint", url, "--out", "new/served.parquet", *WORDS)
    assert there.code == 0, there.err
    assert (workplace / "new" / "served.parquet").is_file()


def test_an_endpoint_that_is_no_address_is_one_line(workplace: Path) -> None:
    outcome = call_rote("examine", "m", "facts.csv", "--endpoint", "localhost:1")
    assert outcome.code == 2
    assert "--endpoint localhost:1: is no address" in outcome.err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--endpoint", "http://127.0.0.1:1/v1", "--allow-pickle"), "--allow-pickle does nothing beside --endpoint"),
        (("--endpoint", "http://127.0.0.1:1/v1", "--revision", "x"), "--revision does nothing beside --endpoint"),
        (("--no-chat",), "--chat or --no-chat does nothing without --endpoint"),
        (("--at-once", "2"), "--at-once does nothing without --endpoint"),
    ],
)
def test_a_flag_that_would_do_nothing_is_refused(workplace: Path, flags: tuple[str, ...], message: str) -> None:
    outcome = call_rote("examine", "m", "facts.csv", *flags)
    assert outcome.code == 2
    assert outcome.err.startswith(f"rote: {message}")
