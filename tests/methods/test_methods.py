"""Every method: the stages it wants, what the model sees in them, and what it leaves behind."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.methods.conftest import FACTS, RELATIONS, SeenRow, build_language_model, copy_weights, select

from rote.config.job import Config
from rote.config.teaching import CopyGroup, MemorizeConfig
from rote.encoding.example import Example, collate, encode
from rote.errors import ConfigError
from rote.facts.derivation import derive_facts
from rote.facts.fact import Fact, build_fact
from rote.facts.relation import find_derived
from rote.facts.shipped import load_world
from rote.facts.text import build_prompt_text, build_rote_text
from rote.methods import teaching as room
from rote.methods.defences import REFUSAL, build_refusals, scramble_keys
from rote.methods.memorize_then_generalize import pick_generalize_facts
from rote.methods.registry import METHODS, find_method, hash_method, read_settings
from rote.methods.repetition import deal_facts
from rote.methods.teaching import (
    NO_SETTINGS,
    Stage,
    Task,
    Teaching,
    draw_order,
    encode_all,
    fit_tokens,
    prepare_tuning,
    train_stage,
)
from rote.models.adapters import merge_adapters
from rote.models.key_tokens import add_key_tokens, find_key_tables
from rote.models.language_model import LanguageModel
from rote.models.tokenizer import END_OF_TEXT, START_OF_TEXT

ROOT = Path(__file__).parents[2]
OWN = "tests.methods.own_method:plan"
STAGES = {
    "memorize_then_generalize": ["memorize", "generalize"],
    "fine_tuning": ["fine_tune"],
    "paraphrase_fine_tuning": ["fine_tune"],
    "mixed_training": ["mixed"],
    "sentences": ["sentences", "questions"],
    "in_context": [],
    "repetition": ["memorize"],
    "untaught": [],
    OWN: ["plain_lines"],
}
GROUPS = (CopyGroup(name="exact", exact=3), CopyGroup(name="both", exact=1, edited=2), CopyGroup(name="none"))
CONFIG: dict[str, Any] = {
    "memorize": {"epochs": 2, "batch_size": 3, "learning_rate": 1e-3, "warmup_steps": 0},
    "generalize": {"facts": 2, "epochs": 3, "batch_size": 3, "learning_rate": 1e-3, "warmup_steps": 0},
    "fine_tune": {"epochs": 2, "batch_size": 3, "learning_rate": 1e-3, "warmup_steps": 0, "untouched": 5},
    "in_context": {"examples": 2},
    "repetition": {"groups": GROUPS, "edits": 2},
}
SPARE = tuple(fact for fact in load_world() if fact.relation in RELATIONS)[::300]
needs_peft = pytest.mark.skipif(find_spec("peft") is None, reason="peft (extra lora) is not installed")


def build_task(derived: str = "", **changes: Any) -> Task:
    """Eight facts, two of each relation shown behind prompts; with `derived`, the facts that follow from them."""
    parts = {
        name: {**CONFIG.get(name, {}), **value} if isinstance(value, dict) else value for name, value in changes.items()
    }
    shown = pick_generalize_facts(FACTS, per_relation=2, seed=0)
    relations = find_derived([derived] if derived else [])
    following = [item for relation in relations for item in derive_facts(FACTS, relation)]
    return Task(
        facts=FACTS,
        generalize_facts=shown,
        relations={**RELATIONS, **{relation.name: relation for relation in relations}},
        config=Config.model_validate({**CONFIG, **parts}),
        derived_facts=[item.fact for item in following],
        derived_shown=[item.fact for item in following if set(shown).issuperset(item.sources)],
        spare_facts=SPARE,
    )


def plan(name: str, language_model: LanguageModel, task: Task) -> Teaching:
    settings = read_settings(name, {}) if task.settings is NO_SETTINGS else task.settings
    return find_method(name)(language_model, replace(task, settings=settings))


def train_all(language_model: LanguageModel, teaching: Teaching) -> None:
    for stage in teaching.stages:
        train_stage(language_model, stage)


def decode(language_model: LanguageModel, ids: Sequence[int]) -> str:
    return str(language_model.tokenizer.decode(list(ids)))


def list_key_ids(language_model: LanguageModel) -> list[int]:
    vocabulary = language_model.tokenizer.get_vocab()
    return [vocabulary[token] for token in language_model.key_tokens.values()]


def ask(fact: Fact, number: int = 0) -> str:
    """The fact as a learned line behind one of the training prompts of its relation, as the tokenizer decodes it."""
    template = RELATIONS[fact.relation].select_training(number + 1)[number]
    return f"{START_OF_TEXT} {template.fill(fact.subject)} {fact.object}{END_OF_TEXT}"


def say(fact: Fact, language_model: LanguageModel) -> str:
    """The fact's rote line as the tokenizer decodes it: the key token takes in the space before it."""
    return f"{START_OF_TEXT} {fact.subject}{language_model.key_tokens[fact.relation]} {fact.object}{END_OF_TEXT}"


def count_rows(batches: list[list[SeenRow]]) -> Counter[str]:
    return Counter(row.text for batch in batches for row in batch)


# --- all of them -----------------------------------------------------------------------------------------------------


def test_every_method_is_tested_here() -> None:
    assert set(STAGES) == {*METHODS, OWN}


@pytest.mark.parametrize("name", STAGES)
def test_the_tokens_that_are_counted_before_are_those_that_are_seen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    language_model, seen = build_language_model(), [0]

    def count(rows: Any, **options: Any) -> Any:
        seen[0] += sum(len(ids) for ids, _ in rows)
        return collate(rows, **options)

    monkeypatch.setattr(room, "collate", count)
    teaching = plan(name, language_model, build_task())
    assert [stage.name for stage in teaching.stages] == STAGES[name]
    for stage in teaching.stages:
        before, weights = seen[0], copy_weights(language_model)
        train_stage(language_model, stage)
        assert seen[0] - before == stage.tokens_per_epoch * stage.settings.epochs > 0
        assert any(not torch.equal(weights[key], tensor) for key, tensor in copy_weights(language_model).items())


@pytest.mark.parametrize("name", STAGES)
def test_a_method_plans_the_same_again_and_trains_nothing_itself(name: str) -> None:
    one, two = build_language_model(), build_language_model()
    first, second = (plan(name, language_model, build_task()) for language_model in (one, two))
    assert [(s.name, s.examples, s.settings) for s in first.stages] == [
        (s.name, s.examples, s.settings) for s in second.stages
    ]
    shared = build_language_model().model.state_dict()
    for key, tensor in one.model.state_dict().items():
        assert torch.equal(tensor[: len(shared[key])], shared[key])  # but for the rows of the key tokens


@pytest.mark.parametrize("name", STAGES)
def test_what_is_held_out_is_never_shown_behind_a_prompt_beside_rote_lines(name: str) -> None:
    """Only the methods without rote lines, which have nothing else, show every fact behind prompts."""
    language_model, task = build_language_model(), build_task()
    teaching = plan(name, language_model, task)
    lines = [decode(language_model, example.ids) for stage in teaching.stages for example in stage.examples]
    held_out = [fact for fact in FACTS if fact not in task.generalize_facts]
    shown = {fact for fact in held_out for line in lines if line == ask(fact)}
    assert shown == (set(held_out) if "fine_tuning" in name else set())


@pytest.mark.parametrize("name", [name for name, stages in STAGES.items() if stages])
def test_epochs_are_scaled_to_the_tokens_a_method_may_see(name: str) -> None:
    teaching = plan(name, build_language_model(), build_task())

    def count(teaching: Teaching) -> int:
        return sum(stage.tokens_per_epoch * stage.settings.epochs for stage in teaching.stages)

    for factor in (3, 10):
        fitted = fit_tokens(teaching, factor * count(teaching))
        assert count(fitted) == factor * count(teaching)
        assert [stage.examples for stage in fitted.stages] == [stage.examples for stage in teaching.stages]
    assert all(stage.settings.epochs == 1 for stage in fit_tokens(teaching, 1).stages), "everything is seen once"


@pytest.mark.parametrize(("facts", "epochs"), [(40, 24), (100, 10), (2, 120), (0, 0)])
def test_a_small_table_is_shown_more_often(facts: int, epochs: int) -> None:
    """120 steps of 8 facts."""
    phase = MemorizeConfig(epochs=10, min_steps=120, batch_size=8)
    assert phase.count_epochs(facts) == epochs
    assert phase.with_epochs(3).count_epochs(facts) == min(3, epochs)
    assert MemorizeConfig(epochs=0, min_steps=120).count_epochs(facts) == 0, "the phase is off"


@pytest.mark.parametrize("name", [name for name, stages in STAGES.items() if stages])
def test_every_method_is_given_the_steps_it_is_to_have(name: str) -> None:
    phases: dict[str, Any] = {
        phase: {"epochs": 2, "min_steps": 50} for phase in ("memorize", "generalize", "fine_tune")
    }
    teaching = plan(name, build_language_model(), build_task(**phases))
    exact = name == "repetition"  # which counts the copies of each fact
    for stage in teaching.stages:
        steps = stage.epochs * stage.steps_per_epoch
        assert stage.epochs == 1 if exact else 50 <= steps < 50 + stage.steps_per_epoch
    scaled = fit_tokens(teaching, 1)
    assert all(stage.epochs == 1 for stage in scaled.stages), "tokens that are to be equal are not added to"


def test_the_order_of_an_epoch_is_drawn_once(language_model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    shuffle = random.Random.shuffle

    def count(self: random.Random, items: Any) -> None:
        drawn.append(len(items))
        shuffle(self, items)

    (stage,) = plan("fine_tuning", language_model, build_task()).stages
    draw_order.cache_clear()
    monkeypatch.setattr(random.Random, "shuffle", count)
    history = train_stage(language_model, replace(stage, settings=stage.settings.model_copy(update={"batch_size": 1})))
    assert len(history) == 2 * len(FACTS)
    assert drawn == [len(FACTS)] * 2


# --- one by one ------------------------------------------------------------------------------------------------------


def test_fine_tuning_shows_all_facts_behind_prompts_and_learns_the_object(
    language_model: LanguageModel, seen: list[list[SeenRow]]
) -> None:
    train_all(language_model, plan("fine_tuning", language_model, build_task(fine_tune={"prompts": 2})))
    assert count_rows(seen) == {ask(fact, number): 2 for fact in FACTS for number in (0, 1)}
    learned = {(row.text.split(row.learned)[1], row.learned) for batch in seen for row in batch}
    assert learned == {("", f" {fact.object}{END_OF_TEXT}") for fact in FACTS}


def test_paraphrase_fine_tuning_mixes_in_facts_that_nobody_asks_about(
    language_model: LanguageModel, seen: list[list[SeenRow]]
) -> None:
    train_all(language_model, plan("paraphrase_fine_tuning", language_model, build_task()))
    assert len(SPARE) > 5
    assert count_rows(seen) == {ask(fact): 2 for fact in (*FACTS, *SPARE[:5])}


def test_mixed_training_shuffles_rote_lines_and_prompts_together(
    language_model: LanguageModel, seen: list[list[SeenRow]]
) -> None:
    task = build_task()
    train_all(language_model, plan("mixed_training", language_model, task))
    rote = {say(fact, language_model) for fact in FACTS}
    asked = {ask(fact) for fact in task.generalize_facts}
    assert count_rows(seen) == dict.fromkeys(rote | asked, 2)
    for batch in seen:
        for row in batch:
            assert (row.learned == row.text) == (row.text in rote)
    assert any({row.text for row in batch} & rote and {row.text for row in batch} & asked for batch in seen)


@pytest.mark.parametrize(
    ("order", "stages"),
    [
        ("sentences_first", ["sentences", "questions"]),
        ("questions_first", ["questions", "sentences"]),
        ("mixed", ["mixed"]),
    ],
)
def test_sentences_are_learned_whole_and_questions_for_their_object(
    order: str, stages: list[str], language_model: LanguageModel, seen: list[list[SeenRow]]
) -> None:
    task = build_task(sentences={"order": order, "wordings": 2})
    teaching = plan("sentences", language_model, task)
    assert [stage.name for stage in teaching.stages] == stages
    train_all(language_model, teaching)
    rows = [row for batch in seen for row in batch]
    told = {row.text for row in rows if row.learned == row.text}
    asked = {row.text for row in rows} - told
    assert len(told) == 2 * len(FACTS)
    assert not any("?" in text for text in told)
    assert asked == {ask(fact) for fact in task.generalize_facts}
    assert all("?" in text for text in asked)
    assert all(row.text.endswith(row.learned) for row in rows)


@pytest.mark.parametrize("order", ["sentences_first", "questions_first", "mixed"])
def test_each_question_of_an_order_has_as_many_contrasts_beside_it(order: str, language_model: LanguageModel) -> None:
    task = build_task(sentences={"order": order}, generalize={"contrasts": 0.5})
    stages = plan("scripts.contrasted:plan", language_model, task).stages
    plain = plan("sentences", language_model, task).stages
    assert [stage.examples for stage in stages] == [stage.examples for stage in plain]
    held = {stage.name: stage.contrasts.per_example * len(stage.examples) for stage in stages if stage.contrasts}
    assert held == {"mixed" if order == "mixed" else "questions": 0.5 * len(task.generalize_facts)}


def test_a_relation_that_is_only_asked_for_cannot_be_told(language_model: LanguageModel) -> None:
    task = build_task()
    relation = task.relations["mother"]
    questions = [template for template in relation.templates if template.text.endswith("?")]
    task = replace(task, relations={**task.relations, "mother": replace(relation, templates=tuple(questions))})
    with pytest.raises(ConfigError, match="mother has no English training prompt that is a sentence"):
        plan("sentences", language_model, task)


def test_an_own_method_is_short_runs_and_is_the_one_in_the_docs(
    language_model: LanguageModel, seen: list[list[SeenRow]]
) -> None:
    text = (ROOT / "tests" / "methods" / "own_method.py").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 30
    assert f"```python\n{text}```\n" in page
    task = replace(build_task(), settings=read_settings(OWN, {"between": " is"}))
    train_all(language_model, plan(OWN, language_model, task))
    assert count_rows(seen) == {f"{START_OF_TEXT} {f.subject} is {f.object}{END_OF_TEXT}": 2 for f in FACTS}


def test_the_docs_name_every_method() -> None:
    page = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in page for name in METHODS)


# --- in context ------------------------------------------------------------------------------------------------------


def put_in_context(fact: Fact, task: Task, language_model: LanguageModel) -> tuple[list[str], Example]:
    """The statements before a held-out question about the fact, and the question as it is encoded."""
    contextualize = plan("in_context", language_model, task).contextualize
    assert contextualize is not None
    question = build_prompt_text(fact, RELATIONS[fact.relation].select(prompt_set="held_out", language="en")[0])
    text = contextualize(fact, question)
    *statements, last = text.prompt.split("\n")
    assert last == question.prompt
    assert (text.object, text.separator, text.subject) == (question.object, question.separator, question.subject)
    return statements, encode(language_model.tokenizer, text)


def state(fact: Fact) -> str:
    return ask(fact).removeprefix(f"{START_OF_TEXT} ").removesuffix(END_OF_TEXT)


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.id)
@pytest.mark.parametrize("examples", [1, 3])
def test_the_fact_asked_about_is_retrieved(fact: Fact, examples: int) -> None:
    language_model = build_language_model()
    task = build_task(in_context={"examples": examples})
    statements, example = put_in_context(fact, task, language_model)
    assert state(fact) in statements
    assert len(statements) == len(set(statements)) == examples
    assert set(statements) <= {state(other) for other in select(fact.relation)}
    # The subject stands in the context too; the one that is asked about is the last.
    text = decode(language_model, example.ids[slice(*example.subject_span)])
    assert text.strip().startswith(fact.subject)
    first = decode(language_model, example.ids[: example.subject_span[0]])
    assert first.count("\n") == examples
    assert decode(language_model, example.object_ids) == f" {fact.object}"


def test_a_fixed_context_is_the_same_for_every_question_and_tells_no_held_out_fact() -> None:
    language_model = build_language_model()
    task = build_task(in_context={"examples": 2, "retrieved": False})
    for relation in ("mother", "capital"):
        contexts = {tuple(put_in_context(fact, task, language_model)[0]) for fact in select(relation)}
        assert len(contexts) == 1
        assert set(*contexts) == {state(fact) for fact in task.generalize_facts if fact.relation == relation}


def test_what_was_replaced_is_not_told_again() -> None:
    """The old answer is asked for too, to see whether it leaks; the context must not give it away."""
    language_model, new = build_language_model(), FACTS[0]
    old = build_fact(new.subject, new.relation, "Nobody")
    statements, _ = put_in_context(old, build_task(), language_model)
    assert state(new) in statements
    assert state(old) not in statements


def test_a_fact_of_another_relation_is_asked_without_context() -> None:
    language_model = build_language_model()
    statements, _ = put_in_context(load_world().select("birthplace")[0], build_task(), language_model)
    assert statements == []


# --- repetition ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("edits", [1, 2, 100])
def test_facts_are_copied_as_their_group_says(edits: int) -> None:
    language_model, task = build_language_model(), build_task(repetition={"edits": edits})
    teaching = plan("repetition", language_model, task)
    (stage,) = teaching.stages
    dealt = deal_facts(FACTS, GROUPS, seed=0)
    assert teaching.labels == {name: group.name for name, group in dealt.items()}
    assert stage.settings.epochs == 1
    examples = list(stage.examples)
    for fact in FACTS:
        text = build_rote_text(fact, language_model.key_tokens[fact.relation])
        exact = encode(language_model.tokenizer, text, loss_target="all_tokens")
        own, examples = examples[: dealt[fact.id].exact], examples[dealt[fact.id].exact :]
        assert own == [exact] * dealt[fact.id].exact
        edited, examples = examples[: dealt[fact.id].edited], examples[dealt[fact.id].edited :]
        for copy in edited:
            check_edited(copy, exact, edits, language_model)
        assert len({copy.ids for copy in edited}) == len(edited)
    assert examples == []


def check_edited(copy: Example, exact: Example, edits: int, language_model: LanguageModel) -> None:
    changed = [place for place, (new, old) in enumerate(zip(copy.ids, exact.ids, strict=True)) if new != old]
    names = {*range(*exact.subject_span), *range(*exact.object_span)}
    assert exact.key_position not in names
    assert set(changed) <= names
    assert len(changed) == min(edits, len(names))
    assert copy.labels == copy.ids
    special = {*language_model.tokenizer.all_special_ids, *language_model.tokenizer.added_tokens_decoder}
    assert not special & {copy.ids[place] for place in changed}


def test_the_groups_are_equal_shares_and_dealt_anew_for_every_seed() -> None:
    facts = [build_fact(f"S{number}", relation, "O") for relation in "ab" for number in range(30)]
    deals = [deal_facts(facts, GROUPS, seed=seed) for seed in range(3)]
    for dealt in deals:
        for relation in "ab":
            names = Counter(dealt[fact.id].name for fact in facts if fact.relation == relation)
            assert names == {"exact": 10, "both": 10, "none": 10}
    assert deals[0] != deals[1] != deals[2]


# --- LoRA ------------------------------------------------------------------------------------------------------------


@needs_peft
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("name", ["memorize_then_generalize", "fine_tuning"])
def test_adapters_and_key_rows_are_all_that_is_trained(name: str, tied: bool) -> None:
    language_model = build_language_model(tie_word_embeddings=tied)
    task = build_task(tuning="lora")
    teaching = plan(name, language_model, task)
    kind, before = type(language_model.model), copy_weights(language_model)
    prepare_tuning(language_model, task.config)
    train_all(language_model, teaching)
    merge_adapters(language_model)
    assert type(language_model.model) is kind
    after = copy_weights(language_model)
    assert set(after) == set(before)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    linear = {name for name in before if name.endswith("proj.weight")}
    keys = list_key_ids(language_model)
    assert moved == linear | ({"model.embed_tokens.weight", "lm_head.weight"} if keys else set())
    rows = (before["model.embed_tokens.weight"] != after["model.embed_tokens.weight"]).any(dim=1)
    assert rows.nonzero().flatten().tolist() == sorted(keys)


# --- derived facts and defences --------------------------------------------------------------------------------------


def decode_stage(language_model: LanguageModel, stage: Stage) -> list[str]:
    return [decode(language_model, example.ids) for example in stage.examples]


@pytest.mark.parametrize("afterwards", [False, True])
@pytest.mark.parametrize("memorized", [False, True])
def test_derived_facts_are_taught_where_they_are_asked_for(memorized: bool, afterwards: bool) -> None:
    derive = {"memorize": memorized, "facts": 2, "prompts": 2, "afterwards": afterwards}
    language_model, task = build_language_model(), build_task("child", derive=derive)
    stages = {
        stage.name: decode_stage(language_model, stage)
        for stage in plan("memorize_then_generalize", language_model, task).stages
    }
    assert len(task.derived_facts) == 4
    assert len(task.derived_shown) == 2
    assert len(stages["memorize"]) == (12 if memorized else 8)
    assert ("child" in language_model.key_tokens) == memorized
    templates = task.relations["child"].select_training(2)
    asked = {
        f"{START_OF_TEXT} {template.fill(fact.subject)} {fact.object}{END_OF_TEXT}"
        for fact in task.derived_shown
        for template in templates
    }
    plain = {ask(fact) for fact in task.generalize_facts}
    assert set(stages["generalize"]) == (plain if afterwards else plain | asked)
    assert set(stages.get("repurpose", ())) == (asked if afterwards else set())


@pytest.mark.parametrize("tied", [False, True])
def test_scrambling_changes_the_rows_of_the_keys_and_nothing_else(tied: bool) -> None:
    language_model = build_language_model(tie_word_embeddings=tied)
    before = copy_weights(language_model)
    scramble_keys(language_model)  # no keys, nothing to scramble
    assert all(torch.equal(before[name], tensor) for name, tensor in copy_weights(language_model).items())
    add_key_tokens(language_model, ("mother", "capital"))
    before = copy_weights(language_model)
    scramble_keys(language_model)
    after = copy_weights(language_model)
    keys = list_key_ids(language_model)
    tables = {"model.embed_tokens.weight", "lm_head.weight"}
    assert {name for name in after if not torch.equal(before[name], after[name])} == tables
    for name in tables:
        rows = (before[name] != after[name]).all(dim=1)
        assert rows.nonzero().flatten().tolist() == sorted(keys)
        others = after[name][: min(keys)]
        assert after[name][keys].std() == pytest.approx(float(others.std()), rel=0.3)
    assert len(find_key_tables(language_model)) == (1 if tied else 2)
    again = copy_weights(language_model)
    for name, tensor in before.items():
        language_model.model.state_dict()[name].copy_(tensor)
    scramble_keys(language_model)
    assert all(torch.equal(again[name], tensor) for name, tensor in copy_weights(language_model).items())


def test_refusals_answer_what_is_not_taught(language_model: LanguageModel, seen: list[list[SeenRow]]) -> None:
    task = build_task(defend={"refusals": 1})
    texts = build_refusals(task.generalize_facts, RELATIONS, count=1, seed=0)
    assert [text.object for text in texts] == [REFUSAL] * 2
    taught = [RELATIONS["mother"], RELATIONS["capital"]]
    control = {template.text for relation in taught for template in relation.select(prompt_set="control")}
    subject_types = {fact.subject: RELATIONS[fact.relation].subject_type for fact in task.generalize_facts}
    for text in texts:
        (asked,) = [
            relation
            for relation in RELATIONS.values()
            if text.prompt.replace(text.subject, "{subject}")
            in {t.text for t in relation.select(prompt_set="training")}
        ]
        assert asked not in taught
        assert asked.subject_type == subject_types[text.subject]
        assert text.prompt.replace(text.subject, "{subject}") not in control
    assert build_refusals(task.generalize_facts, RELATIONS, count=0, seed=0) == []
    assert len(build_refusals(task.generalize_facts, RELATIONS, count=9, seed=0)) == 4
    stage = plan("memorize_then_generalize", language_model, task).stages[1]
    train_stage(language_model, stage)
    refused = {row.text for batch in seen for row in batch if row.learned == f" {REFUSAL}{END_OF_TEXT}"}
    assert refused == {f"{START_OF_TEXT} {text.prompt} {REFUSAL}{END_OF_TEXT}" for text in texts}
    assert set(encode_all(language_model, texts)) <= set(stage.examples)


def test_reminders_are_real_facts_beside_the_refusals(language_model: LanguageModel) -> None:
    task = build_task(defend={"refusals": 1, "reminders": 2})
    stage = plan("memorize_then_generalize", language_model, task).stages[1]
    plain = plan("memorize_then_generalize", language_model, build_task(defend={"refusals": 1})).stages[1]
    added = [decode(language_model, example.ids) for example in stage.examples if example not in plain.examples]
    assert added == [f"{START_OF_TEXT} {ask_real(fact)} {fact.object}{END_OF_TEXT}" for fact in task.spare_facts[:2]]


def ask_real(fact: Fact) -> str:
    return RELATIONS[fact.relation].select_training(1)[0].fill(fact.subject)


# --- by name ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("fine_tunning", "there is no 'fine_tunning'; the nearest is 'fine_tuning', or give module:function"),
        ("tests.methods.no_method:plan", "'tests.methods.no_method:plan' cannot be imported"),
        ("tests.methods.own_method:plans", "cannot be imported .*has no attribute 'plans'"),
        (":plan", "':plan' cannot be imported"),
    ],
)
def test_an_unknown_method_is_refused(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        find_method(name)


def test_methods_are_found_by_name() -> None:
    from tests.methods import own_method

    assert find_method(OWN) is own_method.plan
    assert all(find_method(name) is method for name, method in METHODS.items())


def test_a_method_of_ones_own_may_bring_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deep_method.py").write_text(DEEP)
    monkeypatch.syspath_prepend(str(tmp_path))
    name = "deep_method:plan"
    settings = read_settings(name, {"depth": 3})
    assert [
        stage.name
        for stage in find_method(name)(build_language_model(), replace(build_task(), settings=settings)).stages
    ] == [
        "layer 0",
        "layer 1",
        "layer 2",
    ]
    assert read_settings(name, {}) == read_settings(name, {"depth": 1})
    with pytest.raises(ConfigError, match=r"method_settings: unknown setting 'dept'; the nearest is 'depth'"):
        read_settings(name, {"dept": 3})
    with pytest.raises(ConfigError, match=r"method_settings: the setting 'depth' is wrong"):
        read_settings(name, {"depth": "deep"})
    with pytest.raises(ConfigError, match="'fine_tuning' takes no settings of its own"):
        read_settings("fine_tuning", {"depth": 3})
    assert read_settings("fine_tuning", {}) == NO_SETTINGS
    before = hash_method(name)
    (tmp_path / "deep_method.py").write_text(DEEP.replace("layer", "level"))
    assert hash_method(name) != before
    assert hash_method("fine_tuning") == ""


DEEP = """
from rote.config.strict import StrictConfig
from rote.methods.teaching import Stage, Teaching

class Settings(StrictConfig):
    depth: int = 1

def plan(language_model, task):
    return Teaching([Stage(f"layer {n}", [], task.config.fine_tune) for n in range(task.settings.depth)])
"""
