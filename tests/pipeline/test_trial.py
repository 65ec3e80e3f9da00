"""Trials on a tiny model: what one leaves behind, what trials share, and that sharing changes nothing."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rote.config.trial import TrialConfig
from rote.pipeline.trial import compute_trial_name, run_trial
from rote.pipeline.trial_plan import TrialPlan, build_trial_plan, build_trial_questions
from rote.pipeline.trial_store import TrialResult, TrialStore, load_trial
from tests.pipeline.conftest import RecordingReporter

from rote.errors import ConfigError, TemplateError
from rote.facts.derivation import derive_facts
from rote.facts.fact import Fact
from rote.facts.relation import find_derived, load_shipped_relations
from rote.facts.shipped import load_world
from rote.pipeline import trial as room
from rote.pipeline import trial_plan as plan_room
from rote.records import Record
from rote.runs.reporting import SilentReporter

OWN = "tests.methods.own_method:plan"
CONFIG: dict[str, Any] = {
    "table": {"relations": ["mother", "capital"], "count": 4},
    "memorize": {"epochs": 3, "batch_size": 4, "learning_rate": 5e-3, "warmup_steps": 1},
    "generalize": {"facts": 2, "epochs": 2, "batch_size": 2, "learning_rate": 1e-3, "warmup_steps": 1},
    "fine_tune": {"epochs": 2, "batch_size": 4, "learning_rate": 5e-3, "warmup_steps": 1, "untouched": 3},
    "repurpose": {"epochs": 1, "batch_size": 2},
    "in_context": {"examples": 2},
    "examine": {"facts": 2, "known_facts": 2, "choices": 4, "batch_size": 16},
}
Figures = dict[str, dict[str, Any]]


def build_config(base: Path, **changes: Any) -> TrialConfig:
    parts = {
        name: {**CONFIG.get(name, {}), **value} if isinstance(value, dict) else value for name, value in changes.items()
    }
    return TrialConfig.model_validate({**CONFIG, "model": str(base), **parts})


def do(config: TrialConfig, path: Path) -> TrialResult:
    return run_trial(config, TrialStore(path), reporter=SilentReporter())


def list_moments(records: list[Record]) -> list[str]:
    return list(dict.fromkeys(record.moment for record in records))


def list_files(path: Path) -> dict[str, int]:
    return {str(file.relative_to(path)): file.stat().st_mtime_ns for file in path.rglob("*") if file.is_file()}


def list_steps(reporter: RecordingReporter) -> list[str]:
    return list(dict.fromkeys(label for label, _ in reporter.events))


# --- one trial -------------------------------------------------------------------------------------------------------


def test_a_trial_leaves_one_file_of_records_and_one_of_what_else_it_measured(base: Path, tmp_path: Path) -> None:
    config = build_config(base)
    result = do(config, tmp_path)
    name = compute_trial_name(config)
    assert result.name == name
    assert {file.name for file in (tmp_path / "trials").iterdir()} == {f"{name}.parquet", f"{name}.json"}
    assert not list(tmp_path.rglob("*.draft"))
    assert list_moments(result.records) == ["before", "memorize", "generalize"]
    asked = [
        Counter((r.fact_set, r.subject, r.prompt, r.candidates) for r in result.records if r.moment == moment)
        for moment in list_moments(result.records)
    ]
    assert asked[0] == asked[1] == asked[2], "the same questions at every moment"
    outcome = result.outcome
    assert TrialConfig.model_validate(outcome["config"]) == config
    assert [stage["name"] for stage in outcome["stages"]] == ["memorize", "generalize"]
    assert sum(stage["training_tokens"] for stage in outcome["stages"]) == outcome["training_tokens"] > 0
    assert outcome["method"] == "memorize_then_generalize"
    assert outcome["labels"] == {}
    assert outcome["representations"] == []
    assert set(outcome["seconds"]) == {"examine: before", "memorize", "examine: memorize", "generalize"} | {
        "examine: generalize"
    }


def test_a_finished_trial_is_not_done_again(base: Path, tmp_path: Path) -> None:
    first = do(build_config(base), tmp_path)
    before, reporter = list_files(tmp_path), RecordingReporter()
    second = run_trial(build_config(base), TrialStore(tmp_path), reporter=reporter)
    assert second == first == load_trial(TrialStore(tmp_path), first.name)
    assert reporter.events == []
    assert list_files(tmp_path) == before


def test_a_trial_is_named_after_all_that_decides(base: Path, tmp_path: Path) -> None:
    names = {
        compute_trial_name(build_config(base, **changes))
        for changes in ({}, {"seed": 1}, {"method": "untaught"}, {"examine": {"facts": 1}}, {"retain": {"texts": 4}})
    }
    assert len(names) == 5
    elsewhere = tmp_path / "moved"
    elsewhere.mkdir()
    for path in base.iterdir():
        (elsewhere / path.name).write_bytes(path.read_bytes())
    assert compute_trial_name(build_config(elsewhere)) == compute_trial_name(build_config(base))
    content = bytearray((elsewhere / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (elsewhere / "model.safetensors").write_bytes(content)
    assert compute_trial_name(build_config(elsewhere)) not in names


@pytest.mark.parametrize(
    ("method", "moments"),
    [
        ("untaught", ["before"]),
        ("in_context", ["before", "in_context"]),
        ("fine_tuning", ["before", "fine_tune"]),
        ("mixed_training", ["before", "mixed"]),
        ("repetition", ["before", "memorize"]),
        (OWN, ["before", "plain_lines"]),
    ],
)
def test_the_records_of_another_method_carry_its_moments(
    method: str, moments: list[str], base: Path, tmp_path: Path
) -> None:
    result = do(build_config(base, method=method), tmp_path)
    assert list_moments(result.records) == moments
    with_keys = {record.moment for record in result.records if record.prompt_set == "key"}
    assert with_keys == (set(moments) if method in ("mixed_training", "repetition") else set())
    assert set(result.outcome["labels"].values()) == ({"shown", "left out"} if method == "repetition" else set())
    prompts = {record.prompt for record in result.records if record.moment == "in_context"}
    assert all(prompt.count("\n") == 2 for prompt in prompts if not is_known(prompt, result))


def is_known(prompt: str, result: TrialResult) -> bool:
    return any(record.prompt == prompt and record.fact_set == "known" for record in result.records)


def test_hidden_states_are_compared_at_every_moment_where_asked(base: Path, tmp_path: Path) -> None:
    config = build_config(base, representations=True, generalize={"facts": 1})
    rows = do(config, tmp_path).outcome["representations"]
    assert {row["moment"] for row in rows} == {"before", "memorize", "generalize"}
    assert {row["measure"] for row in rows} >= {"delta_cossim", "key_similarity"}
    outcome = TrialStore(tmp_path).outcome(compute_trial_name(config))
    outcome.unlink()
    assert do(config, tmp_path).outcome["representations"] == rows


def test_an_unknown_method_is_refused_before_anything_is_loaded(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "load_model", None)
    with pytest.raises(ConfigError, match="the nearest is 'fine_tuning'"):
        do(build_config(base, method="fine_tunning"), tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_a_trial_is_named_after_the_prompts_it_uses_and_no_others(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = build_config(base)
    name, relations = compute_trial_name(config), load_shipped_relations()

    def reword(changed: str) -> str:
        relation = relations[changed]
        first = replace(relation.templates[0], text="Say the {subject}:")
        packs = {**relations, changed: replace(relation, templates=(first, *relation.templates[1:]))}
        monkeypatch.setattr(plan_room, "load_shipped_relations", lambda: packs)
        return compute_trial_name(config)

    assert reword("mother") != name
    monkeypatch.setattr(plan_room, "load_shipped_relations", lambda: {**relations, "spouse": relations["mother"]})
    assert compute_trial_name(config) == name


# --- what trials share -----------------------------------------------------------------------------------------------

CHANGES: dict[str, dict[str, Any]] = {
    "more epochs": {"generalize": {"epochs": 3}},
    "other facts": {"generalize": {"facts": 1}},
    "a defence": {"defend": {"scramble_keys": True}},
    "derived": {"derive": {"relations": ["child"], "facts": 1, "afterwards": True}},
    "retained": {"retain": {"texts": 6, "tokens": 8, "batch_size": 2}},
    "gated": {"memorize": {"stop_at_recall": 0.1, "epochs": 6}},
}


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES.keys())
def test_trials_that_begin_alike_share_the_state_and_are_what_they_are_alone(
    changes: dict[str, Any], base: Path, tmp_path: Path
) -> None:
    config = build_config(base, **changes)
    alone = do(config, tmp_path / "alone")
    shared, reporter = tmp_path / "shared", RecordingReporter()
    do(build_config(base), shared)
    if "memorize" in changes or "retain" in changes:  # the same, but for another k
        do(build_config(base, **{**changes, "generalize": {"facts": 1}}), shared)
    beside = run_trial(config, TrialStore(shared), reporter=reporter)
    assert "memorize" not in list_steps(reporter), "it is taken over"
    assert beside.records == alone.records
    assert beside.outcome["training_tokens"] == alone.outcome["training_tokens"]


def test_a_gate_is_charged_for_the_epochs_it_took(base: Path, tmp_path: Path) -> None:
    def count(**memorize: Any) -> int:
        outcome = do(build_config(base, memorize=memorize), tmp_path).outcome
        tokens: int = outcome["stages"][0]["training_tokens"]
        return tokens

    once = count(epochs=1)
    assert count(epochs=6, stop_at_recall=1e-9) == 6 * once  # nothing is recalled yet: it never opens
    epochs, rest = divmod(count(epochs=300, stop_at_recall=0.25), once)
    assert 1 <= epochs < 300
    assert rest == 0


def test_adapters_share_a_state_too(base: Path, tmp_path: Path) -> None:
    pytest.importorskip("peft")
    config = build_config(base, method="lora")
    alone = do(config, tmp_path / "alone")
    shared, reporter = tmp_path / "shared", RecordingReporter()
    do(build_config(base, method="lora", generalize={"facts": 1}), shared)
    beside = run_trial(config, TrialStore(shared), reporter=reporter)
    assert "memorize" not in list_steps(reporter)
    assert beside.records == alone.records
    plain = do(build_config(base), shared)
    assert plain.records != alone.records, "the state of another method is not taken"


@pytest.mark.parametrize("changes", [{"memorize": {"epochs": 2}}, {"seed": 1}, {"key_token": "[Y{number}]"}])
def test_trials_that_begin_otherwise_share_nothing(changes: dict[str, Any], base: Path, tmp_path: Path) -> None:
    do(build_config(base), tmp_path)
    reporter = RecordingReporter()
    run_trial(build_config(base, **changes), TrialStore(tmp_path), reporter=reporter)
    assert "memorize" in list_steps(reporter)


def test_the_same_questions_to_the_same_model_are_asked_once(base: Path, tmp_path: Path) -> None:
    do(build_config(base), tmp_path)
    reporter = RecordingReporter()
    run_trial(build_config(base, generalize={"epochs": 3}), TrialStore(tmp_path), reporter=reporter)
    assert list_steps(reporter) == ["generalize", "examine: generalize"]


# --- killed and done again -------------------------------------------------------------------------------------------


class Interrupted(BaseException):
    """As Ctrl-C is."""


class InterruptingReporter(RecordingReporter):
    """Raises when a step begins or ends."""

    def __init__(self, label: str, what: str) -> None:
        super().__init__()
        self.at = (label, what)

    def note(self, label: str, what: str) -> None:
        super().note(label, what)
        if (label, what) == self.at:
            raise Interrupted


@pytest.fixture(scope="session")
def undisturbed(base: Path, tmp_path_factory: pytest.TempPathFactory) -> TrialResult:
    return do(build_config(base, **CHANGES["derived"]), tmp_path_factory.mktemp("undisturbed"))


@pytest.mark.parametrize("what", ["begin", "end"])
@pytest.mark.parametrize(
    "label", ["examine: before", "memorize", "examine: memorize", "generalize", "examine: generalize", "repurpose"]
)
def test_a_trial_that_was_killed_and_done_again_is_the_same(
    label: str, what: str, base: Path, tmp_path: Path, undisturbed: TrialResult
) -> None:
    config, store = build_config(base, **CHANGES["derived"]), TrialStore(tmp_path)
    with pytest.raises(Interrupted):
        run_trial(config, store, reporter=InterruptingReporter(label, what))
    assert not store.outcome(undisturbed.name).exists(), "what is not finished does not look so"
    assert run_trial(config, store, reporter=SilentReporter()).records == undisturbed.records
    assert not list(tmp_path.rglob("*.draft"))


@pytest.mark.parametrize("lost", ["states/*.safetensors", "examined/*.parquet", "trials/*.parquet"])
def test_a_trial_that_lost_files_is_done_again(lost: str, base: Path, tmp_path: Path, undisturbed: TrialResult) -> None:
    config, store = build_config(base, **CHANGES["derived"]), TrialStore(tmp_path)
    do(config, tmp_path)
    store.outcome(undisturbed.name).unlink()
    latest = sorted(tmp_path.glob(lost), key=lambda path: path.stat().st_mtime_ns)[-1]
    latest.unlink()
    assert do(config, tmp_path).records == undisturbed.records


# --- what is taught and asked ----------------------------------------------------------------------------------------


def derive(plan: TrialPlan, relation: str) -> dict[Fact, tuple[Fact, ...]]:
    return {item.fact: item.sources for item in derive_facts(plan.table.facts, find_derived([relation])[0])}


@pytest.mark.parametrize(
    ("relation", "kind", "names"),
    [
        ("child", "fictional", ("author", "mother")),
        ("artist_of_genre", "fictional", ("genre",)),
        ("mothers_university", "linked", ("author", "capital", "educated_at", "genre", "mother")),
        ("rival", "fictional", ("mother",)),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_derived_facts_rest_on_one_set_alone(relation: str, kind: str, names: tuple[str, ...], seed: int) -> None:
    config = TrialConfig.model_validate(
        {
            "seed": seed,
            "table": {"kind": kind, "relations": names, "count": 40},
            "generalize": {"facts": 20},
            "derive": {"relations": [relation], "facts": 3},
            "examine": {"facts": 0},
        }
    )
    plan = build_trial_plan(config)
    sources = derive(plan, relation)
    assert plan.derived_facts == list(sources)
    held_out, shown = set(plan.held_out_facts), set(plan.generalize_facts)
    assert held_out | shown == set(plan.table)
    assert not held_out & shown
    assert plan.derived_held_out
    assert all(held_out.issuperset(sources[fact]) for fact in plan.derived_held_out)
    assert len(plan.derived_shown) == 3
    assert all(shown.issuperset(sources[fact]) for fact in plan.derived_shown)
    asked = {
        fact_set: {q.fact for q in build_trial_questions(plan, config, {}) if q.fact_set == fact_set}
        for fact_set in ("held_out", "generalize")
    }
    assert {fact for fact in asked["held_out"] if fact.relation == relation} == set(plan.derived_held_out)
    assert {fact for fact in asked["generalize"] if fact.relation == relation} == set(plan.derived_shown)


@pytest.mark.parametrize("seed", range(3))
def test_a_counterfactual_table_also_asks_what_it_replaces(seed: int) -> None:
    config = TrialConfig.model_validate(
        {
            "seed": seed,
            "table": {"kind": "counterfactual", "relations": ["mother", "capital"], "count": 10},
            "generalize": {"facts": 5},
            "examine": {"facts": 0},
        }
    )
    plan = build_trial_plan(config)
    world, old = {fact.id: fact for fact in load_world()}, {fact.id: fact for fact in plan.replaced_facts}
    assert len(plan.table) > 10
    assert list(old) == [fact.id for fact in plan.table if fact not in plan.generalize_facts]
    for fact in plan.held_out_facts:
        assert old[fact.id] == world[fact.id]
        assert not set(fact.answers) & set(old[fact.id].answers)
    questions = build_trial_questions(plan, config, {"mother": "[X1]"})
    asked = {question.fact for question in questions if question.fact_set == "replaced"}
    assert asked == set(plan.replaced_facts)
    known = {question.fact.subject for question in questions if question.fact_set == "known"}
    assert known
    assert not known & {fact.subject for fact in plan.table}


@pytest.mark.parametrize("kind", ["fictional", "invented", "linked", "counterfactual"])
def test_spare_facts_are_neither_taught_nor_asked_and_of_every_relation(kind: str) -> None:
    config = TrialConfig.model_validate({"table": {"kind": kind, "count": 20}})
    plan = build_trial_plan(config)
    spare = {fact.subject for fact in plan.spare_facts}
    questions = build_trial_questions(plan, config, {})
    assert not spare & {question.fact.subject for question in questions}
    assert not spare & {fact.subject for fact in (*plan.table, *plan.known_facts)}
    assert {fact.relation for fact in plan.spare_facts[:200]} == set(load_world().relations)
    assert list(plan.spare_facts) == list(build_trial_plan(config).spare_facts)
    assert plan.build_task(config).spare_facts is plan.spare_facts


def test_the_tables_are_those_that_are_asked_for() -> None:
    def build(seed: int = 0, **table: Any) -> TrialPlan:
        return build_trial_plan(TrialConfig.model_validate({"seed": seed, "table": table}))

    frozen = build(relations=["genre", "mother"], count=7)
    assert Counter(fact.relation for fact in frozen.table) == {"genre": 7, "mother": 7}
    assert build(3, relations=["genre", "mother"], count=7).table == frozen.table
    invented = build(kind="invented", count=7)
    assert set(Counter(fact.relation for fact in invented.table).values()) == {7}
    assert not {fact.subject for fact in build(1, kind="invented", count=7).table} >= {
        fact.subject for fact in invented.table
    }
    linked = build(kind="linked", count=7).table
    assert [fact.subject for fact in linked.select("educated_at")] == [fact.object for fact in linked.select("mother")]
    with pytest.raises(ConfigError, match=r"table\.relations: the frozen table has no birthplace; use kind: invented"):
        build(relations=["birthplace"])
    with pytest.raises(TemplateError, match="unknown relation 'mothr'; the nearest shipped one is 'mother'"):
        build(relations=["mothr"])
    with pytest.raises(TemplateError, match="unknown derived relation 'chid'; the nearest shipped one is 'child'"):
        build_trial_plan(TrialConfig.model_validate({"derive": {"relations": ["chid"]}}))
