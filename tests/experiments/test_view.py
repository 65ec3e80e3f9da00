"""SQL over a store gives what the records and outcomes hold."""

import sys
from pathlib import Path

import pytest
from tests.experiments.test_compare import build_records

from rote.errors import ConfigError, RunError
from rote.experiments.view import __doc__ as guide
from rote.experiments.view import open_view
from rote.pipeline.trial_store import TrialStore
from rote.records import SCHEMA, save_records
from rote.runs.folder import write_json


def build_store(path: Path) -> TrialStore:
    """Two finished trials, and the records of one that was killed before its outcome was written."""
    store = TrialStore(path)
    (path / "trials").mkdir(parents=True)
    for name, epochs, correct in (("aa", 3, (True, False)), ("bb", 20, (True, True)), ("killed", 1, (False,))):
        save_records(build_records(*correct), store.records(name))
        outcome = {"name": name, "config": {"memorize": {"epochs": epochs}}, "training_tokens": 10 * epochs}
        if name != "killed":
            write_json(store.outcome(name), {**outcome, "labels": {"x": "y"}, "representations": [{"value": 0.1}]})
    return store


@pytest.fixture(params=["store", "a person's [1] *store?"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> TrialStore:
    pytest.importorskip("duckdb")
    return build_store(tmp_path / request.param)


def test_the_views_hold_the_finished_trials(store: TrialStore) -> None:
    view = open_view(store)
    found = view.sql("SELECT trial, subject, correct, object_logprobs FROM records ORDER BY trial, subject").fetchall()
    assert found == [
        ("aa", "S0", True, [-0.5]),
        ("aa", "S1", False, [-0.5]),
        ("bb", "S0", True, [-0.5]),
        ("bb", "S1", True, [-0.5]),
    ]
    assert view.sql("SELECT * FROM records").columns == ["trial", *SCHEMA.names]
    assert view.sql("SELECT name, training_tokens FROM trials ORDER BY name").fetchall() == [("aa", 30), ("bb", 200)]
    assert view.sql("SELECT * FROM trials").columns == ["name", "config", "training_tokens"]


def test_the_query_of_the_guide_works(store: TrialStore) -> None:
    assert guide is not None
    query = guide.split("'''")[1].replace("... ", "")
    assert sorted(open_view(store).sql(query).fetchall()) == [("20", 1.0, 2), ("3", 0.5, 2)]


def test_a_store_without_trials(tmp_path: Path) -> None:
    pytest.importorskip("duckdb")
    with pytest.raises(RunError, match="has no finished trial"):
        open_view(TrialStore(tmp_path))


def test_without_duckdb_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(ConfigError, match=r"pip install 'rote\[sql\]'"):
        open_view(TrialStore(tmp_path))
