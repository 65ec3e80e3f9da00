"""Both phases: what the model sees in them, and what it then says."""

import random
from collections import Counter
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.methods.conftest import FACTS, RELATIONS, SeenRow, build_language_model, copy_weights, select

from rote.config.teaching import GeneralizeConfig, MemorizeConfig, RetainConfig
from rote.encoding.example import collate, encode
from rote.errors import ModelError
from rote.evaluation.examine import recall_by_key
from rote.facts.fact import Fact, build_fact
from rote.facts.text import build_prompt_text
from rote.methods.memorize_then_generalize import count_shown, generalize, memorize, pick_generalize_facts
from rote.methods.teaching import PhaseContext
from rote.models.key_tokens import add_key_tokens
from rote.models.language_model import LanguageModel
from rote.models.tokenizer import END_OF_TEXT, START_OF_TEXT
from rote.retention.penalty import Retention
from rote.retention.texts import write_texts
from rote.training.loop import compute_loss
from rote.training.losses import next_token_loss, predict_labelled

MEMORIZE = MemorizeConfig(epochs=2, batch_size=3, learning_rate=1e-3, warmup_steps=0)
GENERALIZE = GeneralizeConfig(epochs=2, batch_size=3, learning_rate=1e-3, warmup_steps=0, prompts=2)
KEYS = {"mother": "[X1]", "capital": "[X2]"}


def compute_recall(language_model: LanguageModel, facts: tuple[Fact, ...] = FACTS) -> float:
    return recall_by_key(language_model, facts, batch_size=8)


def compute_object_loss(language_model: LanguageModel, facts: list[Fact]) -> float:
    """The loss per token of the objects behind the first training prompt."""
    templates = {fact: RELATIONS[fact.relation].select(prompt_set="training", language="en")[0] for fact in facts}
    examples = [encode(language_model.tokenizer, build_prompt_text(fact, templates[fact])) for fact in facts]
    batch = collate([(example.ids, example.labels) for example in examples], pad_id=0)
    with torch.no_grad():
        return float(next_token_loss(predict_labelled(language_model.model, batch), batch)) / batch.target_count


# --- which facts -----------------------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 30)), unique=True, max_size=60),
    st.integers(0, 20),
    st.integers(0, 5),
    st.integers(0, 100),
)
def test_fewer_facts_are_a_part_of_more(pairs: list[tuple[str, int]], few: int, more: int, seed: int) -> None:
    facts = [build_fact(f"S{number}", relation, "O") for relation, number in pairs]
    small = pick_generalize_facts(facts, per_relation=few, seed=seed)
    large = pick_generalize_facts(facts, per_relation=few + more, seed=seed)
    assert set(small) <= set(large) <= set(facts)
    there = Counter(fact.relation for fact in facts)
    wanted = {relation: min(few, count) for relation, count in there.items() if few}
    assert Counter(fact.relation for fact in small) == wanted
    assert len(set(small)) == len(small)
    random.seed(seed + 1)  # nothing but its own seed counts
    assert pick_generalize_facts(facts, per_relation=few, seed=seed) == small


def test_the_seed_decides_which_facts() -> None:
    facts = [build_fact(f"S{number}", "mother", "O") for number in range(40)]
    picks = [tuple(pick_generalize_facts(facts, per_relation=5, seed=seed)) for seed in range(5)]
    assert len(set(picks)) == 5
    assert picks[0] != tuple(facts[:5])


@pytest.mark.parametrize(("facts", "shown"), [(1, 1), (2, 1), (3, 1), (100, 50), (1001, 500)])
def test_where_nobody_says_half_of_a_relation_is_shown(facts: int, shown: int) -> None:
    assert count_shown(facts) == shown
    table = [build_fact(f"S{number}", "mother", f"O{number}") for number in range(facts)]
    assert len(pick_generalize_facts(table)) == shown
    assert pick_generalize_facts(table, per_relation=0) == []


def test_the_facts_of_a_relation_do_not_depend_on_the_others() -> None:
    alone = pick_generalize_facts(select("capital"), per_relation=2, seed=0)
    together = pick_generalize_facts(FACTS, per_relation=2, seed=0)
    assert [fact for fact in together if fact.relation == "capital"] == alone


# --- what is seen ----------------------------------------------------------------------------------------------------


def flatten(batches: list[list[SeenRow]]) -> list[SeenRow]:
    return [row for batch in batches for row in batch]


def test_memorize_shows_every_fact_once_an_epoch_and_learns_all_of_it(
    language_model: LanguageModel, seen: list[list[SeenRow]]
) -> None:
    memorize(language_model, FACTS, MEMORIZE)
    # decoded, a space stands before the text and none before the key token, which takes it in
    rows = {f"{START_OF_TEXT} {fact.subject}{KEYS[fact.relation]} {fact.object}{END_OF_TEXT}" for fact in FACTS}
    assert [len(batch) for batch in seen] == [3, 3, 2] * 2
    for epoch in (flatten(seen[:3]), flatten(seen[3:])):
        assert Counter(row.text for row in epoch) == Counter(rows)
        assert all(row.learned == row.text for row in epoch)
    assert [row.text for row in flatten(seen[:3])] != [row.text for row in flatten(seen[3:])]


def test_generalize_shows_the_chosen_facts_behind_the_first_prompts_and_learns_the_object(
    language_model: LanguageModel, seen: list[list[SeenRow]]
) -> None:
    chosen = pick_generalize_facts(FACTS, per_relation=2, seed=0)
    generalize(language_model, chosen, RELATIONS, GENERALIZE)
    expected = Counter(
        SeenRow(f"{START_OF_TEXT} {template.fill(fact.subject)} {fact.object}{END_OF_TEXT}", f" {fact.object}</s>")
        for fact in chosen
        for template in RELATIONS[fact.relation].select(prompt_set="training", language="en")[:2]
    )
    expected = Counter({SeenRow(r.text, r.learned.replace("</s>", END_OF_TEXT)): n for r, n in expected.items()})
    per_epoch = len(seen) // 2
    assert Counter(flatten(seen[:per_epoch])) == Counter(flatten(seen[per_epoch:])) == expected
    assert len(expected) == 8


def test_what_is_held_out_is_never_seen(language_model: LanguageModel, seen: list[list[SeenRow]]) -> None:
    chosen = pick_generalize_facts(FACTS, per_relation=2, seed=0)
    held_out = [fact for fact in FACTS if fact not in chosen]
    memorize(language_model, FACTS, MEMORIZE)
    behind_keys = len(seen)
    generalize(language_model, chosen, RELATIONS, GENERALIZE)
    assert held_out
    for row in flatten(seen[behind_keys:]):
        assert not any(fact.subject in row.text or fact.object in row.text for fact in held_out)
        assert not any(key in row.text for key in KEYS.values())
    everything = " ".join(row.text for row in flatten(seen))
    for fact in FACTS:
        relation = RELATIONS[fact.relation]
        shown = relation.select(prompt_set="training", language="en")[:2] if fact in chosen else ()
        for template in relation.templates:
            assert (template.fill(fact.subject) in everything) == (template in shown), template.id


def test_order_is_a_function_of_seed_and_epoch() -> None:
    def train(seed: int) -> dict[str, Any]:
        language_model = build_language_model()
        add_key_tokens(language_model, tuple(KEYS))
        random.seed(seed + 5)
        memorize(language_model, FACTS, MEMORIZE, context=PhaseContext(seed=seed))
        return copy_weights(language_model)

    first, again, other = train(0), train(0), train(1)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


# --- what is learned -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tied", [False, True])
def test_facts_are_memorized_and_then_asked_for_in_words(tied: bool) -> None:
    language_model = build_language_model(tie_word_embeddings=tied)
    add_key_tokens(language_model, ("mother",))
    facts = select("mother")
    assert compute_recall(language_model, facts) == 0
    history = memorize(language_model, facts, MemorizeConfig(epochs=60, learning_rate=3e-3, batch_size=4))
    assert compute_recall(language_model, facts) == 1
    assert history[-1]["loss"] < 0.2 * history[0]["loss"]
    assert [entry["epoch"] for entry in history] == list(range(1, 61))
    chosen = pick_generalize_facts(facts, per_relation=2, seed=0)
    before = compute_object_loss(language_model, chosen)
    generalize(language_model, chosen, RELATIONS, GeneralizeConfig(epochs=20, learning_rate=1e-3, batch_size=2))
    assert compute_object_loss(language_model, chosen) < 0.5 * before


def test_early_stop_only_where_it_is_asked_for(language_model: LanguageModel) -> None:
    facts, recalled = select("mother"), []

    def evaluate() -> dict[str, float]:
        recalled.append(compute_recall(language_model, facts))
        return {"key_recall": recalled[-1]}

    def count_epochs(stop_at_recall: float | None) -> int:
        recalled.clear()
        for name, tensor in fresh.items():
            language_model.model.state_dict()[name].copy_(tensor)
        config = MemorizeConfig(epochs=50, learning_rate=3e-3, batch_size=4, stop_at_recall=stop_at_recall)
        history = memorize(language_model, facts, config, context=PhaseContext(evaluator=evaluate))
        assert [entry["key_recall"] for entry in history] == recalled
        return len(history)

    fresh = copy_weights(language_model)
    assert count_epochs(None) == 50
    assert recalled[-2:] == [1.0, 1.0]
    first_half = next(number for number, recall in enumerate(recalled, start=1) if recall >= 0.5)
    first_all = next(number for number, recall in enumerate(recalled, start=1) if recall == 1)
    assert count_epochs(1.0) == first_all < 50
    assert recalled[-1] == 1
    assert count_epochs(0.5) == first_half


def test_evaluators_are_called_at_the_end_of_every_epoch(language_model: LanguageModel) -> None:
    calls: list[int] = []

    def evaluate() -> dict[str, float]:
        calls.append(1)
        return {"key_recall": 0.25}

    history = memorize(language_model, FACTS, MEMORIZE, context=PhaseContext(evaluator=evaluate))
    assert [entry["epoch"] for entry in history] == pytest.approx([1 / 3, 2 / 3, 1, 4 / 3, 5 / 3, 2])
    assert ["key_recall" in entry for entry in history] == [False, False, True] * 2
    assert len(calls) == 2


def test_retention_keeps_the_model_nearer_to_what_it_was() -> None:
    moved = {}
    for weight in (0.0, 5.0):
        language_model = build_language_model()
        texts = write_texts(language_model, count=24, tokens=12, seed=0)
        retention = Retention(language_model, texts, RetainConfig(batch_size=12, weight=weight), seed=0)
        add_key_tokens(language_model, tuple(KEYS))
        config = MemorizeConfig(epochs=10, batch_size=4, learning_rate=1e-3)
        memorize(language_model, FACTS, config, context=PhaseContext(retention=retention))
        terms = Retention(build_language_model(), texts, RetainConfig(batch_size=24), seed=0).build_terms(0)
        with torch.no_grad():
            moved[weight] = float(compute_loss(language_model.model, terms))
    assert moved[5.0] < 0.5 * moved[0.0]


def test_generalize_can_change_the_attention_layers_alone(language_model: LanguageModel) -> None:
    before = copy_weights(language_model)
    generalize(language_model, FACTS, RELATIONS, GENERALIZE.model_copy(update={"weights": "attention"}))
    after = copy_weights(language_model)
    changed = {name for name, weight in before.items() if not torch.equal(weight, after[name])}
    assert changed
    assert all(".self_attn." in name for name in changed)


def test_no_epochs_change_nothing(language_model: LanguageModel) -> None:
    before = copy_weights(language_model)
    assert memorize(language_model, FACTS, MemorizeConfig(epochs=0)) == []
    assert generalize(language_model, list(FACTS), RELATIONS, GeneralizeConfig(epochs=0)) == []
    after = language_model.model.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_a_key_that_does_not_move_is_an_error(language_model: LanguageModel) -> None:
    language_model.model.get_input_embeddings().requires_grad_(False)
    with pytest.raises(ModelError, match=r"did not move the embedding of \[X1\], \[X2\]"):
        memorize(language_model, FACTS, MEMORIZE)


def test_a_model_that_knows_other_keys_can_learn_another_table() -> None:
    language_model = build_language_model()
    add_key_tokens(language_model, ("mother", "capital"))
    memorize(language_model, select("mother"), MEMORIZE)
    memorize(language_model, select("capital"), MEMORIZE)
    assert language_model.key_tokens == KEYS
