"""Other methods beside a run: equal cost, the same questions, a method of one's own among them."""

from pathlib import Path
from typing import Any

import pytest

from rote.comparison.methods import compare_methods, plan_others
from rote.errors import ConfigError
from rote.experiments.experiment import build_experiment_config
from rote.pipeline.job import JobRequest, build_request
from rote.runs.folder import read_json
from rote.runs.reporting import SilentReporter
from rote.runs.store import Store

OWN = "tests.methods.own_method:plan"


def build(model: Path, **changes: Any) -> JobRequest:
    settings = {
        "model": str(model),
        "table": {"kind": "invented", "relations": ["mother"], "count": 4},
        "memorize": {"epochs": 6, "batch_size": 2},
        "examine": {"known_facts": 0, "languages": ["en", "de"]},
        "fine_tune.batch_size": 2,
    }
    return build_request(build_experiment_config({**settings, **changes}))


def test_all_methods_see_as_many_tokens_as_whole_epochs_allow_and_answer_the_same_questions(
    model: Path, tmp_path: Path
) -> None:
    """A method of one's own brings its settings; they are its own, and no other method is asked to know them."""
    request, store = build(model, method=OWN, method_settings={"between": " ->"}), Store(tmp_path)
    others = ["fine_tuning", "mixed_training"]
    comparison = compare_methods(request, others, store, reporter=SilentReporter())
    ours, *theirs = comparison["methods"]
    assert [ours["name"], *(method["name"] for method in theirs)] == [OWN, *others]
    outcomes = {found["config"]["method"]: found for found in map(read_json, (tmp_path / "jobs").glob("*.json"))}
    assert outcomes[OWN]["config"]["method_settings"] == {"between": " ->"}
    for method in theirs:
        (stage,) = outcomes[method["name"]]["stages"]
        epochs = read_json(store.stage(stage["kept"]).history)[-1]["epoch"]
        assert abs(method["training_tokens"] - ours["training_tokens"]) <= method["training_tokens"] / epochs
    questions = list(dict.fromkeys(row["questions"] for row in comparison["rows"]))
    assert questions == [
        "key token, all facts",
        "training prompt, held-out facts (en)",
        "held-out prompts, held-out facts (en)",
        "held-out prompts, held-out facts (de)",
        "control prompts (low is good), held-out facts (en, de)",
    ]
    asked = {(row["questions"], row["method"]): row["n"] for row in comparison["rows"]}
    for row in comparison["rows"]:
        assert row["n"] == asked[row["questions"], "mixed_training"], "all are asked the same"
        assert (row["difference"] is None) == (row["method"] == OWN or row["questions"] == questions[0])


def test_a_method_that_is_not_there_is_refused_before_any_is_run(model: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no 'fine_tunning'; the nearest is 'fine_tuning'"):
        plan_others(build(model), ["in_context", "fine_tunning"])
