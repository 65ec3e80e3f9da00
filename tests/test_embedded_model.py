"""What the embedded model must be: small enough to ship, and taught well by the default settings."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from rote.config.job import Config
from rote.config.loading import build_config, merge_settings, read_preset
from rote.facts.counterfactual import swap_world
from rote.facts.fact import FactTable
from rote.facts.reading import save_table
from rote.facts.relation import LANGUAGES
from rote.facts.shipped import load_fictional
from rote.models.embedded import locate_embedded_model
from rote.models.loading import load_model
from rote.pipeline.run import run, teach
from rote.records import Record
from rote.runs.folder import read_json

TAUGHT = [fact for relation in ("mother", "capital") for fact in load_fictional().select(relation)[:40]]


def accuracy(records: list[Record], **wanted: str) -> float:
    fitting = [r.correct for r in records if all(getattr(r, key) == value for key, value in wanted.items())]
    return sum(fitting) / len(fitting)


@cache
def taught() -> dict[str, list[Record]]:
    """Records of every moment, at the default settings but for size, on two relations of 40 facts."""
    settings = {
        "memorize": {"epochs": 30},
        "retain": {"texts": 200},
        "examine": {"facts": 15, "known_facts": 60, "unseen_facts": 0, "choices": 0},
        "knowledge": {"samples": 0},
    }
    result = teach(load_model(), FactTable(tuple(TAUGHT)), build_config(Config, settings))
    return {
        moment: [record for record in result.records if record.moment == moment]
        for moment in ("before", "memorize", "generalize")
    }


def test_the_weights_are_small_enough_to_ship() -> None:
    assert sum(path.stat().st_size for path in locate_embedded_model().iterdir()) < 32 * 2**20


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_known_facts_are_recalled_in_every_language(language: str) -> None:
    assert accuracy(taught()["before"], fact_set="known", language=language) >= 0.95


@pytest.mark.slow
def test_nothing_that_is_injected_is_known_before() -> None:
    assert accuracy(taught()["before"], fact_set="held_out") < 0.02


@pytest.mark.slow
def test_memorize_is_recalled_by_key_token_and_not_by_question() -> None:
    records = taught()["memorize"]
    assert accuracy(records, fact_set="held_out", prompt_set="key") >= 0.99
    assert accuracy(records, fact_set="held_out", prompt_set="training") < 0.5


@pytest.mark.slow
def test_generalize_makes_held_out_facts_usable_in_words_and_languages_never_trained() -> None:
    before, after = taught()["memorize"], taught()["generalize"]
    for wanted in (
        {"prompt_set": "training"},
        {"prompt_set": "held_out", "language": "en"},
        {"prompt_set": "held_out"},
    ):
        assert accuracy(after, fact_set="held_out", **wanted) > accuracy(before, fact_set="held_out", **wanted) + 0.1


@pytest.mark.slow
def test_known_facts_stay_and_control_prompts_do_not_bring_the_object() -> None:
    before, after = taught()["before"], taught()["generalize"]
    assert accuracy(after, fact_set="known") > accuracy(before, fact_set="known") - 0.05
    assert accuracy(after, fact_set="held_out", prompt_set="control") < 0.1


@pytest.mark.slow
def test_an_update_wins_and_what_else_is_known_of_its_subjects_stays(tmp_path: Path) -> None:
    save_table(swap_world(count=16, seed=2), tmp_path / "updates.jsonl")
    smaller: dict[str, Any] = {
        "table": {"file": str(tmp_path / "updates.jsonl")},
        "memorize": {"batch_size": 4},
        "generalize": {"batch_size": 4, "epochs": 3},
        "retain": {"texts": 150, "subjects": 3, "batch_size": 16},
        "examine": {"languages": ["en"], "held_out_prompts": 1, "known_facts": 30, "unseen_facts": 0},
        "knowledge": {"samples": 1, "prompts": 2},
    }
    config = build_config(Config, merge_settings(read_preset("update"), smaller))
    folder = run(config, out=tmp_path / "run").folder
    assert folder is not None
    asked = {
        (row["moment"], row["measure"]): row["mean"]
        for row in read_json(folder.knowledge)
        if (row["label"], row["prompt_set"]) == ("conflicting", "held_out")
    }
    assert asked["before", "old_answer"] >= 0.9
    assert asked["generalize", "generation_accuracy"] >= 0.9
    assert asked["generalize", "old_answer"] <= 0.1
    losses = {row["ring"]: row["loss"] for row in read_json(folder.side_effects)}
    assert losses.keys() == {"same subject", "same relation"}
    assert max(losses.values()) < 0.1
