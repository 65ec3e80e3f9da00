"""The claims about the embedded model, measured on it with fixed seeds."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

import rote
from rote.config.job import Config
from rote.config.loading import apply_setting, read_preset
from rote.facts.counterfactual import swap_world
from rote.facts.reading import save_table
from rote.facts.relation import LANGUAGES
from rote.models.embedded import locate_embedded_model
from rote.records import Record
from rote.runs.folder import read_json


def accuracy(records: Sequence[Record], **wanted: str) -> float:
    fitting = [r.correct for r in records if all(getattr(r, key) == value for key, value in wanted.items())]
    return sum(fitting) / len(fitting)


@cache
def taught() -> dict[str, list[Record]]:
    """Records of every moment at the default settings, on two relations of 40 facts."""
    facts = [fact for relation in ("mother", "capital") for fact in rote.load_fictional().select(relation)[:40]]
    config = Config.model_validate(
        {
            "memorize": {"epochs": 30},
            "retain": {"texts": 400},
            "examine": {"facts": 15, "known_facts": 60, "unseen_facts": 0, "choices": 1},
            "knowledge": {"samples": 0},
        }
    )
    records = rote.teach(rote.load_model("rote-tiny"), rote.FactTable(tuple(facts)), config).records
    return {moment: [r for r in records if r.moment == moment] for moment in ("before", "memorize", "generalize")}


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
    settings = read_preset("update")
    for key, value in {
        "table.file": str(tmp_path / "updates.csv"),
        "memorize.batch_size": 4,
        "generalize.batch_size": 4,
        "generalize.epochs": 3,
        "retain.texts": 150,
        "retain.subjects": 3,
        "retain.batch_size": 16,
        "examine.languages": ["en"],
        "examine.known_facts": 30,
        "examine.unseen_facts": 0,
        "knowledge.samples": 1,
    }.items():
        apply_setting(settings, key, value)
    save_table(swap_world(count=16, seed=2), tmp_path / "updates.csv")
    folder = rote.run(Config.model_validate(settings), out=tmp_path / "run").folder
    assert folder is not None
    asked = {
        (row["moment"], row["measure"]): row["mean"]
        for row in read_json(folder.knowledge)
        if (row["label"], row["prompt_set"]) == ("conflicting", "held_out")
    }
    assert asked["before", "old_answer"] >= 0.9
    assert asked["generalize", "generation_accuracy"] >= 0.9
    assert asked["generalize", "old_answer"] <= 0.1
    losses = {row["ring"]: row["loss"] for row in read_json(folder.side_effects) if row.get("known")}
    assert losses.keys() == {"same subject", "same relation"}
    assert max(losses.values()) < 0.1
