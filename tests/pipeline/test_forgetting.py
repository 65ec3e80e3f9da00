"""`rote forget` on a tiny run: what it leaves behind, what it refuses, and that a killed one goes on."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import list_tree
from tests.pipeline.conftest import (
    Interrupted,
    InterruptingReporter,
    RecordingReporter,
    build_config,
    build_table,
    prove,
)

from rote.config.forgetting import ForgetConfig
from rote.config.job import Config
from rote.errors import RunError, TableError
from rote.facts.fact import Fact, FactObject, FactTable, build_fact, hash_fact
from rote.facts.reading import load_table, save_table
from rote.facts.relation import PACKS
from rote.methods.teaching import train_stage
from rote.models.loading import load_model
from rote.pipeline import forgetting, gguf_export, proving
from rote.pipeline.exporting import load_plan
from rote.pipeline.forget_plan import ForgetPlan, build_forget_plan
from rote.pipeline.forgetting import Forgotten, forget
from rote.pipeline.job import build_request
from rote.pipeline.run import choose_place, do_run
from rote.records import Record, load_records
from rote.runs.base import find_base
from rote.runs.folder import RunFolder, read_json
from rote.runs.ledger import load_ledger
from rote.runs.opening import find_run_folder
from rote.runs.reporting import Reporter, SilentReporter
from rote.runs.sums import find_damage, write_sums

LEARNED = {
    "memorize": {"epochs": 60, "learning_rate": 1e-2},
    "generalize": {"facts": "all", "epochs": 30, "learning_rate": 3e-3},
    "retain": {"texts": 6, "weight": 0.03},
    "examine": {"known_facts": None, "before": 1},
}
"""What makes a tiny run know all that it was taught."""
GONE = build_table().select("mother")[:2]
SETTINGS = ForgetConfig.model_validate(
    {
        "epochs": 20,
        "learning_rate": 3e-3,
        "batch_size": 4,
        "kept": 8,
        "texts": 2,
        "prompts": 1,
        "held_out_prompts": 1,
        "relearn": {"counts": [1, 5], "min_steps": 4, "learning_rate": 1e-3},
    }
)


def write_rows(folder: Path, facts: Sequence[Fact] = GONE) -> Path:
    path = folder / "gone.jsonl"
    save_table(FactTable(tuple(facts)), path)
    return path


def build_plan(taught: RunFolder, folder: Path, **changes: object) -> ForgetPlan:
    return build_forget_plan(taught.model, write_rows(folder), SETTINGS.model_copy(update=changes))


def do_forget(plan: ForgetPlan, out: Path, *, resume: bool = False, reporter: Reporter | None = None) -> Forgotten:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forgetting, "verify_folder", prove)  # a fresh process takes seconds
        return forget(plan, out, resume=resume, reporter=reporter or SilentReporter(), command="rote forget tiny")


@pytest.fixture(scope="module")
def taught(base: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A finished run whose model knows its eight facts."""
    request = build_request(build_config(base, LEARNED))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(proving, "verify_folder", prove)
        place = choose_place(request, tmp_path_factory.mktemp("taught") / "run")
        result = do_run(request, place, reporter=SilentReporter())
    assert result.folder is not None
    return result.folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("forget")


@pytest.fixture(scope="module")
def forgotten(taught: RunFolder, place: Path) -> Forgotten:
    """What nothing interrupted."""
    return do_forget(build_plan(taught, place), place / "out")


def load(folder: RunFolder, moment: str) -> list[Record]:
    return load_records(folder.records(moment))


def test_what_was_trained_away_is_not_said_and_the_rest_is_as_before(forgotten: Forgotten) -> None:
    before, after = (load(forgotten.folder, moment) for moment in ("before", "forget"))
    trained = ("key", "training")
    assert all(record.correct for record in before if record.fact_set == "forgotten" and record.prompt_set in trained)
    assert not [r for r in after if r.fact_set == "forgotten" and r.prompt_set in trained and r.correct]
    for name in ("neighbours", "other_relations"):
        key = [
            [r.correct for r in records if (r.fact_set, r.prompt_set) == (name, "key")] for records in (before, after)
        ]
        assert all(key[0])
        assert sum(key[1]) >= sum(key[0]), name


def test_the_figures_are_those_of_the_records(forgotten: Forgotten) -> None:
    before, after = (load(forgotten.folder, moment) for moment in ("before", "forget"))
    assert [record.prompt for record in before] == [record.prompt for record in after], "the same questions"
    for row in forgotten.outcome["rows"]:
        asked = (row["fact_set"], row["prompt_set"], row["language"])
        pairs = [p for p in zip(before, after, strict=True) if (p[0].fact_set, p[0].prompt_set, p[0].language) == asked]
        assert row["before"]["n"] == len(pairs)
        assert row["after"]["mean"] == pytest.approx(sum(new.correct for _, new in pairs) / len(pairs), abs=1e-6)
        sums = [sum(new.object_logprobs) for _, new in pairs]
        assert row["logprob_after"] == pytest.approx(sum(sums) / len(sums), abs=1e-5)
        right = [new.correct for old, new in pairs if old.correct]
        assert (row["kept"] is None) == (not right)
        if right:
            assert row["kept"]["mean"] == pytest.approx(sum(right) / len(right), abs=1e-6)
    sets = {row["fact_set"] for row in forgotten.outcome["rows"]}
    assert sets >= {"forgotten", "neighbours", "other_relations", "unseen"}


def test_the_ledger_of_the_model_no_longer_has_what_was_forgotten(taught: RunFolder, forgotten: Forgotten) -> None:
    before, after = (load_ledger(folder.model).tables[0] for folder in (taught, forgotten.folder))
    gone = {fact.id for fact in GONE}
    assert [fact for fact in before.facts if fact.id not in gone] == list(after.facts)
    assert len(before.facts) == len(after.facts) + len(GONE)
    assert not gone & (after.shown | after.asked)


def test_a_run_and_its_model_name_the_same(taught: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(taught.path.parent)
    rows = write_rows(tmp_path)
    named = [build_forget_plan(Path(name), rows, SETTINGS).plan.config.model for name in ("run", "run/model")]
    assert named == ["run/model"] * 2


def test_a_fact_of_an_earlier_table_is_said_to_be_one(taught: RunFolder, tmp_path: Path) -> None:
    older = tmp_path / "run"
    shutil.copytree(taught.path, older)
    fact = GONE[0]
    left = FactTable(tuple(other for other in load_table(older / "table.jsonl") if other.id != fact.id))
    save_table(left, older / "table.jsonl")
    write_sums(RunFolder(older))
    with pytest.raises(TableError, match=r"was taught in an earlier table .*forget it in the run that taught it"):
        build_forget_plan(older / "model", write_rows(tmp_path), SETTINGS)


def test_relearning_asks_about_the_facts_that_were_not_shown(forgotten: Forgotten) -> None:
    again, others = (load(forgotten.folder, moment) for moment in ("relearn_1", "teach_unseen_1"))
    shown = {record.subject for record in again if record.fact_set == "relearned"}
    asked = {record.subject for record in again if record.fact_set == "forgotten"}
    assert len(shown) == len(asked) == 1
    assert shown | asked == {fact.subject for fact in GONE}
    assert {record.subject for record in others if record.fact_set == "forgotten"} == asked, "the same ones"
    taught = {record.subject for record in others if record.fact_set == "relearned"}
    assert taught.isdisjoint({fact.subject for fact in build_table()})
    counts = {row["count"] for row in forgotten.outcome["relearning"]}
    assert counts == {1}, "five of two facts cannot be taught again"


def test_the_model_that_is_saved_is_the_one_that_forgot(forgotten: Forgotten) -> None:
    """Relearning leaves no trace in it."""
    saved = load_model(str(forgotten.folder.model))
    model: Any = saved.model
    assert {hash_fact(fact) for fact in build_table()} <= saved.shown, "all of them were shown behind prompts now"
    asked = [r for r in load(forgotten.folder, "forget") if r.prompt_set == "key" and r.fact_set != "unseen"]
    for record in asked:
        ids = saved.tokenizer(record.prompt, return_tensors="pt")
        said = model.generate(**ids, max_new_tokens=12, do_sample=False)[0, ids["input_ids"].shape[1] :]
        assert (record.object in saved.tokenizer.decode(said)) == record.correct, record.subject


def test_the_folder_is_a_finished_run_without_the_forgotten_facts(forgotten: Forgotten, taught: RunFolder) -> None:
    folder = find_run_folder(forgotten.folder.path)
    assert find_damage(folder) is None
    left = [fact.id for fact in load_table(folder.table)]
    assert left == [fact.id for fact in build_table() if fact not in GONE]
    assert list(load_table(folder.path / "forgotten.jsonl")) == list(GONE)
    assert "not erasure" in forgotten.outcome["note"]
    with pytest.raises(TableError, match="was not taught"):  # what is forgotten cannot be forgotten again
        build_forget_plan(folder.model, write_rows(folder.path.parent), SETTINGS)
    assert find_damage(taught) is None


@pytest.mark.parametrize("at", [("forget", "1 of 20"), ("examine: forget", "begin"), ("examine: relearn_1", "begin")])
def test_a_killed_one_goes_on_and_ends_the_same(
    forgotten: Forgotten, taught: RunFolder, tmp_path: Path, at: tuple[str, str]
) -> None:
    plan = build_plan(taught, tmp_path)
    reporter = InterruptingReporter(*at)
    with pytest.raises(Interrupted):
        do_forget(plan, tmp_path / "out", reporter=reporter)
    with pytest.raises(RunError, match="add --resume"):
        do_forget(plan, tmp_path / "out")
    result = do_forget(plan, tmp_path / "out", resume=True)
    assert result.outcome == forgotten.outcome
    for name in ("model/model.safetensors", "records/forget.parquet", "records/relearn_1.parquet"):
        assert (result.folder.path / name).read_bytes() == (forgotten.folder.path / name).read_bytes(), name


def test_a_finished_one_is_read_and_not_done_again(forgotten: Forgotten, taught: RunFolder, place: Path) -> None:
    reporter = RecordingReporter()
    again = do_forget(build_plan(taught, place), place / "out", resume=True, reporter=reporter)
    assert again.outcome == forgotten.outcome
    assert reporter.steps == []


def test_rows_that_were_not_taught_are_named(taught: RunFolder, tmp_path: Path) -> None:
    before = list_tree(tmp_path)
    fact = GONE[0]
    for wrong, words in (
        (build_fact("Nobody Nowhere", "mother", "Cody Ross"), r"'Nobody Nowhere' mother 'Cody Ross' was not taught;"),
        (build_fact(fact.subject, "mother", "Someone Else"), f"was not taught; it was taught '{fact.object}'"),
        (replace(fact, objects=(*fact.objects, FactObject("Someone Else"))), "was not taught; it was taught"),
    ):
        rows = write_rows(tmp_path, [GONE[1], wrong])
        with pytest.raises(TableError, match=words):
            build_forget_plan(taught.model, rows, SETTINGS)
        rows.unlink()
    assert list_tree(tmp_path) == before


def test_a_second_object_is_not_forgotten_for_the_first(base: Path, tmp_path: Path) -> None:
    lists = [replace(fact, objects=(*fact.objects, FactObject("Vera Marlow"))) for fact in build_table()]
    save_table(FactTable(tuple(lists)), tmp_path / "both.jsonl")
    run = teach(build_config(base, {"table": {"file": str(tmp_path / "both.jsonl")}}), tmp_path / "run")
    second = write_rows(tmp_path, [replace(lists[0], objects=lists[0].objects[1:])])
    with pytest.raises(TableError, match=f"'Vera Marlow' was not taught; it was taught '{lists[0].object}'"):
        build_forget_plan(run.model, second, SETTINGS)
    assert build_forget_plan(run.model, write_rows(tmp_path), SETTINGS).facts.forgotten == lists[:2]


def test_a_pack_that_changed_since_is_refused_unless_another_is_named(base: Path, tmp_path: Path) -> None:
    pack = tmp_path / "mother.yaml"
    shutil.copy(PACKS / "mother.yaml", pack)
    run = teach(build_config(base, {"relations": [str(pack)]}), tmp_path / "run")
    rows = write_rows(tmp_path)
    build_forget_plan(run.model, rows, SETTINGS)
    pack.write_text(pack.read_text(encoding="utf-8") + "# mended\n", encoding="utf-8")
    with pytest.raises(RunError, match=r"its relation pack .*mother.yaml is not there any more, or has changed"):
        build_forget_plan(run.model, rows, SETTINGS)
    build_forget_plan(run.model, rows, SETTINGS, prompts=[str(pack)])


def test_a_model_of_no_run_is_refused(base: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="does not lie in the folder of a run"):
        build_forget_plan(base, write_rows(tmp_path), SETTINGS)


def test_a_folder_that_holds_another_one_is_refused(forgotten: Forgotten, taught: RunFolder, place: Path) -> None:
    before = list_tree(place / "out")
    with pytest.raises(RunError, match="holds another run"):
        do_forget(build_plan(taught, place, method="gradient_difference"), place / "out", resume=True)
    assert list_tree(place / "out") == before
    assert forgotten.folder.is_finished


def teach(config: Config, out: Path) -> RunFolder:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(proving, "verify_folder", prove)
        result = do_run(build_request(config), choose_place(build_request(config), out), reporter=SilentReporter())
    assert result.folder is not None
    return result.folder


def test_what_the_price_is_measured_on_is_not_practised(taught: RunFolder, tmp_path: Path) -> None:
    plan = build_plan(taught, tmp_path)
    held = {fact.id for fact in (*plan.facts.neighbours, *plan.facts.others)}
    asked = {fact.id for facts in plan.price.values() for fact in facts}
    assert plan.price["neighbours"]
    assert plan.price["other_relations"]
    assert held.isdisjoint(asked)
    assert held | asked == {fact.id for fact in build_table()} - {fact.id for fact in GONE}


def test_no_fact_that_stands_for_untaught_ones_has_an_object_that_is_forgotten(base: Path, tmp_path: Path) -> None:
    subjects = [
        f"{one} {two}" for one in ("Ada", "Bela", "Ciro", "Dora") for two in ("Kroll", "Lund", "Marsh", "Novak")
    ]
    subjects = [f"{name} Prior" if number % 3 else name for number, name in enumerate(subjects)]
    bosses = [f"{one} {two}" for one in ("Otto", "Pia", "Quirin", "Rhea") for two in ("Esser", "Falk", "Gosse", "Hahn")]
    facts = [build_fact(subject, "line_manager", boss) for subject, boss in zip(subjects, bosses, strict=True)]
    save_table(FactTable(tuple(facts)), tmp_path / "own.jsonl")
    once = {"memorize": {"epochs": 1}, "generalize": {"epochs": 1, "facts": "all"}, "retain": {"texts": 0}}
    config = build_config(base, once, table={"file": str(tmp_path / "own.jsonl"), "relations": [], "count": None})
    run = teach(config, tmp_path / "run")
    rows = write_rows(tmp_path, facts[:12])
    plan = build_forget_plan(run.model, rows, SETTINGS)
    objects = {fact.object for fact in (*plan.unseen, *plan.spare)}
    assert plan.spare, "as many as are taught again"
    assert objects <= {fact.object for fact in facts[12:]}


def test_adapters_are_taught_again_as_fast_as_they_were_taught(base: Path, tmp_path: Path) -> None:
    once = {"memorize": {"epochs": 1}, "generalize": {"epochs": 1, "facts": "all", "learning_rate": 1e-3}}
    config = build_config(base, once, tuning="lora", lora={"learning_rate_factor": 4.0}, retain={"texts": 0})
    run, rates = teach(config, tmp_path / "run"), []
    plan = build_forget_plan(run.model, write_rows(tmp_path), ForgetConfig(epochs=1, prompts=1, texts=0))

    def note(model: Any, stage: Any, context: Any) -> list[dict[str, Any]]:
        rates.append(stage.settings.learning_rate)
        return train_stage(model, stage, context)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forgetting, "train_stage", note)
        do_forget(plan, tmp_path / "out")
    assert rates == [pytest.approx(4e-3)] * 2, "one forgotten fact, and a new one"


def test_what_was_taught_before_the_run_is_held_and_asked_too(taught: RunFolder, tmp_path: Path) -> None:
    facts = [build_fact(f"Firm Number{n}", "boss", f"Holder Of{n}") for n in range(4)]
    save_table(FactTable(tuple(facts)), tmp_path / "more.jsonl")
    once = {"memorize": {"epochs": 1}, "generalize": {"epochs": 1, "facts": "all"}, "retain": {"texts": 0}}
    table = {"file": str(tmp_path / "more.jsonl"), "relations": []}
    run = teach(build_config(taught.model, once, table=table), tmp_path / "run")
    plan = build_forget_plan(run.model, write_rows(tmp_path, facts[:1]), SETTINGS)
    asked, held = {fact.id for fact in plan.price["earlier"]}, {fact.id for fact in plan.facts.others}
    assert asked
    assert asked.isdisjoint(held)
    assert asked | held == {fact.id for fact in build_table()}
    assert {fact.subject for fact in plan.unseen}.isdisjoint(fact.subject for fact in build_table())
    (run.model / "ledger.json").unlink()
    assert find_run_folder(run.path), "a damaged ledger may be deleted, as its line says"
    assert find_damage(run), "and is made again by the command that began the run"


def test_a_run_that_trained_nothing_leaves_no_table_in_the_ledger(base: Path, tmp_path: Path) -> None:
    run = teach(build_config(base, method="in_context", retain={"texts": 0}), tmp_path / "run")
    assert load_ledger(run.model).tables == ()
    with pytest.raises(RunError, match="was trained on nothing, so there is nothing to forget"):
        build_forget_plan(run.model, write_rows(tmp_path), SETTINGS)


def test_it_can_be_done_again_whatever_was_shown_of_a_relation(taught: RunFolder, tmp_path: Path) -> None:
    again = tmp_path / "run"
    shutil.copytree(taught.path, again)
    table = load_table(again / "table.jsonl")
    save_table(FactTable(tuple(fact for fact in table if fact != GONE[0])), again / "table.jsonl")
    text = (again / "config.yaml").read_text(encoding="utf-8")
    assert "  facts: all\n" in text
    (again / "config.yaml").write_text(text.replace("  facts: all\n", "  facts: 4\n", 1), encoding="utf-8")
    write_sums(RunFolder(again))
    assert build_forget_plan(again / "model", write_rows(tmp_path, GONE[1:]), SETTINGS).facts.forgotten == [GONE[1]]


def test_other_models_and_all_facts_are_refused(taught: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    shutil.copytree(taught.path, tmp_path / "run", dirs_exist_ok=True)
    with pytest.raises(RunError, match=r"run/adapter: is not the model of its run; name .*run/model"):
        build_forget_plan(tmp_path / "run" / "adapter", write_rows(tmp_path), SETTINGS)
    with pytest.raises(TableError, match="names all facts that the run taught"):
        build_forget_plan(taught.model, write_rows(tmp_path, list(build_table())), SETTINGS)
    shutil.rmtree(tmp_path / "run" / "model")
    write_sums(RunFolder(tmp_path / "run"))
    with pytest.raises(RunError, match="has no model/; it kept its adapters alone"):
        build_forget_plan(tmp_path / "run" / "adapter", write_rows(tmp_path), SETTINGS)


def test_nothing_taught_is_asked_as_what_is_taught_again(forgotten: Forgotten) -> None:
    rows = {(row["moment"], row["fact_set"], row["prompt_set"]): row for row in forgotten.outcome["relearning"]}
    for prompt_set in ("key", "training", "held_out"):
        counts = {rows[moment, "forgotten", prompt_set]["figure"]["n"] for moment in ("nothing", "relearn")}
        assert len(counts) == 1, "the same questions"
    assert ("nothing", "relearned", "key") not in rows
    asked = {r.prompt: r.correct for r in load(forgotten.folder, "forget")}
    again = [r for r in load(forgotten.folder, "nothing_1") if r.prompt in asked]
    assert again
    assert all(r.correct == asked[r.prompt] for r in again), "nothing was trained"


def test_the_summary_and_the_manifest_are_of_the_model_that_was_saved(forgotten: Forgotten, base: Path) -> None:
    summary, manifest = (read_json(path) for path in (forgotten.folder.summary, forgotten.folder.manifest))
    assert {row["moment"] for row in summary} == set(manifest["moments"]) == {"before", "forget"}
    assert manifest["code"]
    assert find_base(forgotten.folder) == base.name
    assert load_plan(forgotten.folder).held_out_facts == [], "all that is left was practised behind prompts, or asked"


def test_a_file_to_serve_is_asked_about_what_was_forgotten(forgotten: Forgotten) -> None:
    questions = gguf_export._list_questions(forgotten.folder, load_model(str(forgotten.folder.model)))
    asked = {name: {q.fact for q in questions if q.fact_set == name} for name in ("forgotten", "neighbours")}
    assert asked["forgotten"] == set(GONE)
    assert asked["neighbours"]
    assert {q.prompt_set for q in questions if q.fact_set == "forgotten"} >= {"training", "held_out"}
