"""The claims about the embedded model, measured on it with fixed seeds."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from rote.config.run import RunConfig

from rote.config.loading import load_config
from rote.config.teaching import GeneralizeConfig, MemorizeConfig, RetainConfig
from rote.evaluation.examine import examine
from rote.evaluation.questions import QuestionPlan, build_questions
from rote.facts.counterfactual import swap_world
from rote.facts.fact import Fact
from rote.facts.relation import LANGUAGES, load_shipped_relations
from rote.facts.sampling import sample_facts
from rote.facts.shipped import load_fictional
from rote.methods.memorize_then_generalize import generalize, memorize, pick_generalize_facts
from rote.methods.teaching import PhaseContext
from rote.models.embedded import locate_embedded_model
from rote.models.key_tokens import add_key_tokens
from rote.models.language_model import LanguageModel
from rote.models.loading import load_model
from rote.pipeline.plan import pick_known_facts
from rote.pipeline.run import RunRequest, run
from rote.records import FactSet, Record
from rote.retention.penalty import Retention
from rote.retention.texts import write_texts
from rote.runs.folder import read_json
from rote.runs.reporting import SilentReporter

RELATIONS = load_shipped_relations()
ROOT = Path(__file__).parents[1]
TAUGHT = [fact for relation in ("mother", "capital") for fact in load_fictional().select(relation)[:40]]


def ask(language_model: LanguageModel, fact_sets: dict[FactSet, Sequence[Fact]]) -> list[Record]:
    plan = QuestionPlan(key_tokens=language_model.key_tokens, languages=LANGUAGES, held_out_prompts=1, choices=1)
    questions = build_questions(fact_sets, RELATIONS, plan=plan)
    return examine(language_model.model, language_model.tokenizer, questions, moment="before", batch_size=64)


def accuracy(records: list[Record], **wanted: str) -> float:
    fitting = [r.correct for r in records if all(getattr(r, key) == value for key, value in wanted.items())]
    return sum(fitting) / len(fitting)


@cache
def taught() -> dict[str, list[Record]]:
    """Records before, after memorize and after generalize, at the default settings on two relations of 40 facts."""
    language_model = load_model()
    texts = write_texts(language_model, count=400, tokens=40, seed=0)
    retention = Retention(language_model.model, texts, batch_size=16, weight=RetainConfig().weight, seed=0)
    context = PhaseContext(retention=retention)
    add_key_tokens(language_model, ("mother", "capital"))
    known = pick_known_facts(language_model.tokenizer.batch_decode(texts), table=load_fictional(), count=60, seed=0)
    shown = pick_generalize_facts(TAUGHT, per_relation=20)
    held_out = sample_facts([fact for fact in TAUGHT if fact not in shown], count=30, seed=0)
    fact_sets: dict[FactSet, Sequence[Fact]] = {"held_out": held_out, "known": known}
    moments = {"before": ask(language_model, fact_sets)}
    memorize(language_model, TAUGHT, MemorizeConfig(epochs=30), context=context)
    moments["memorize"] = ask(language_model, fact_sets)
    generalize(language_model, shown, RELATIONS, GeneralizeConfig(), context=context)
    moments["generalize"] = ask(language_model, fact_sets)
    return moments


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
    shipped = load_config(RunConfig, ROOT / "configs" / "update.yaml").model_dump()
    smaller: dict[str, dict[str, Any]] = {
        "memorize": {"batch_size": 4},
        "generalize": {"batch_size": 4, "epochs": 3},
        "retain": {"texts": 150, "subjects": 3, "batch_size": 16},
        "examine": {"languages": ["en"], "held_out_prompts": 1, "known_facts": 30, "unseen_facts": 0},
        "knowledge": {"samples": 1, "prompts": 2},
    }
    config = {**shipped, **{part: {**shipped[part], **changes} for part, changes in smaller.items()}}
    request = RunRequest(
        swap_world(count=16, seed=2), "updates", "rote-tiny", RunConfig.model_validate(config), tmp_path / "run"
    )
    folder = run(request, reporter=SilentReporter()).folder
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
