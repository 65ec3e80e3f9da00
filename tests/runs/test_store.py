"""What jobs leave behind: made once, found by content, and known to be stale."""

from pathlib import Path

import pytest

from rote.errors import RunError
from rote.records import Record
from rote.runs.folder import keep_json
from rote.runs.store import JobResult, Store, hash_content

RECORD = Record(
    moment="before",
    fact_set="held_out",
    prompt_set="training",
    language="en",
    relation="mother",
    subject="Gene Finley",
    object="Cody Ross",
    prompt="Who is Gene Finley's mother?",
    generated="Ann",
    correct=False,
    object_logprobs=(-1.0, -2.0),
    object_probability=0.05,
    rank=None,
    candidates=None,
)


def finish(store: Store, name: str, code: str) -> JobResult:
    """A finished job."""
    store.keep(name, {"code": code, "facts": 1}, [RECORD])
    return JobResult(name, {"code": code, "facts": 1}, [RECORD])


def test_content_is_named_by_what_it_says_in_any_order() -> None:
    assert hash_content({"a": 1, "b": [2, None]}) == hash_content({"b": [2, None], "a": 1})
    assert hash_content({"a": 1}) != hash_content({"a": 1.5}) != hash_content({"a": "1.5"})
    assert len(hash_content([])) == 16


def test_a_job_is_finished_by_one_version_of_the_code(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.find_code("job") is None
    assert not store.is_finished("job", "one")
    result = finish(store, "job", "one")
    assert store.is_finished("job", "one")
    assert not store.is_finished("job", "two")
    assert store.find_code("job") == "one", "and can still be read"
    assert store.load("job") == result


def test_a_job_whose_outcome_is_damaged_is_named(tmp_path: Path) -> None:
    store = Store(tmp_path)
    finish(store, "job", "one")
    store.outcome("job").write_text('{"code": ')
    with pytest.raises(RunError, match=r"job\.json: cannot be read"):
        store.load("job")


def test_a_stage_is_trained_once_it_has_a_history(tmp_path: Path) -> None:
    stage = Store(tmp_path).stage("abc")
    assert not stage.is_trained
    stage.checkpoints.mkdir(parents=True)
    assert not stage.is_trained
    keep_json(stage.history, [])
    assert stage.is_trained, "its weights may have been removed since"


def test_a_damaged_job_has_no_model(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for name in "ab":
        store.outcome(name).parent.mkdir(exist_ok=True)
        keep_json(store.outcome(name), {"config": {"model": f"model-{name}"}})
    store.outcome("b").write_text("[{")
    assert store.list_models() == ["model-a"]
