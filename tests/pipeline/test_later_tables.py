"""A second table later: what the ledger keeps, what a later run does with it, and how a correction is taught."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.pipeline.conftest import RELATIONS, RecordingReporter, build_config, build_table, prove

from rote.config.job import Config
from rote.errors import ModelError
from rote.evaluation.statistics import compute_interval
from rote.facts.fact import Fact, FactTable
from rote.facts.reading import save_table
from rote.facts.shipped import load_fictional
from rote.figures import build_figure_row
from rote.models import saving
from rote.models.loading import load_model, read_key_tokens
from rote.pipeline import proving
from rote.pipeline.earlier import fit_to_model
from rote.pipeline.job import Job, JobRequest, build_request
from rote.pipeline.preview import describe_plan
from rote.pipeline.run import Result, choose_place, do_run
from rote.records import Record
from rote.runs.ledger import LEDGER_FILE, load_ledger
from rote.runs.store import Store

FIRST = build_table().facts
SECOND = (*load_fictional().select("mother")[4:8], *load_fictional().select("author")[:2])
SMALL: dict[str, Any] = {
    "memorize": {"epochs": 20, "learning_rate": 1e-2},
    "examine": {"facts": 2, "earlier_facts": 4},
}


def write_table(folder: Path, name: str, facts: Sequence[Fact]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    save_table(FactTable(tuple(facts)), folder / name)
    return folder / name


def build_request_for(model: Path, table: Path, **changes: Any) -> JobRequest:
    config = build_config(model, SMALL, changes, table={"kind": "file", "file": str(table), "relations": []})
    unbound = config.model_dump(exclude_unset=True)
    unbound["table"].pop("count", None)
    return build_request(Config.model_validate(unbound))


def do(request: JobRequest, out: Path) -> Result:
    with pytest.MonkeyPatch.context() as patch:
        for place in (proving, saving):
            patch.setattr(place, "verify_folder", prove)
        return do_run(request, choose_place(request, out), reporter=RecordingReporter())


def model_of(result: Result) -> Path:
    assert result.folder is not None
    return result.folder.model


class Chain:
    """Two tables, the second taught to the model of the first."""

    def __init__(self, base: Path, place: Path) -> None:
        self.place = place
        self.first = do(build_request_for(base, write_table(place, "first.jsonl", FIRST)), place / "first")
        self.request = build_request_for(model_of(self.first), write_table(place, "second.jsonl", SECOND))
        self.second = do(self.request, place / "second")


@pytest.fixture(scope="module")
def chain(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    return Chain(base, tmp_path_factory.mktemp("chain"))


def select(result: Result, **wanted: str) -> list[Record]:
    return [r for r in result.records if all(getattr(r, name) == value for name, value in wanted.items())]


def compute_accuracy(records: Sequence[Record]) -> dict[str, Any]:
    facts = [(record.relation, record.subject) for record in records]
    return dict(build_figure_row(compute_interval([float(record.correct) for record in records], facts)))


# --- the ledger ------------------------------------------------------------------------------------------------------


def test_a_first_run_leaves_a_ledger_of_its_table(chain: Chain) -> None:
    (table,) = load_ledger(model_of(chain.first)).tables
    assert (table.name, table.hash, table.count) == ("first.jsonl", build_table().content_hash, 8)
    assert table.facts == FIRST
    assert table.keys == read_key_tokens(model_of(chain.first))
    shown = {f"{r.relation}/{r.subject}" for r in chain.first.records if r.fact_set == "generalize"}
    assert shown == table.shown, "all that were shown were asked"
    held_out = select(chain.first, moment="generalize", prompt_set="held_out", language="en")
    assert {f"{r.relation}/{r.subject}" for r in held_out} == table.asked
    assert table.found == (compute_accuracy(held_out),)
    assert chain.first.folder is not None
    assert not chain.first.folder.retention.exists(), "one table alone forgets nothing"
    assert "Tables taught one after another" not in chain.first.folder.report.read_text()


def test_a_second_run_adds_to_the_ledger_of_the_model_it_began_from(chain: Chain) -> None:
    ledger = load_ledger(model_of(chain.second))
    assert [table.name for table in ledger.tables] == ["first.jsonl", "second.jsonl"]
    assert [table.facts for table in ledger.tables] == [FIRST, SECOND]
    assert set(ledger.relations) == {"mother", "capital", "author"}
    assert ledger.relations["capital"] == RELATIONS["capital"], "prompts are kept, so a pack may be gone"


def test_a_relation_keeps_its_key_token_and_a_new_one_gets_the_next(chain: Chain) -> None:
    before, after = (read_key_tokens(model_of(result)) for result in (chain.first, chain.second))
    assert after == {**before, "author": "[X3]"}
    keys = {record.prompt.split()[-1] for record in chain.second.records if record.prompt_set == "key"}
    assert keys == set(after.values())


# --- asked again, and rehearsed --------------------------------------------------------------------------------------


def test_earlier_facts_are_asked_again_at_every_moment_in_the_questions_of_their_own_run(chain: Chain) -> None:
    earlier = select(chain.second, fact_set="earlier")
    assert {record.subject for record in earlier} <= {fact.subject for fact in FIRST}
    asked = {m: {r.prompt for r in earlier if r.moment == m} for m in ("before", "memorize", "generalize")}
    assert asked["before"] == asked["memorize"] == asked["generalize"]
    assert len({record.subject for record in earlier}) == 4
    at_the_end = {r.prompt for r in select(chain.first, moment="generalize", language="en")}
    assert {r.prompt for r in earlier if r.prompt_set == "held_out"} <= at_the_end
    assert not [record for record in earlier if record.prompt_set == "control"]


def test_before_the_second_table_the_model_says_what_it_said_after_the_first(chain: Chain) -> None:
    then = {record.prompt: record.generated for record in select(chain.first, moment="generalize")}
    now = select(chain.second, moment="before", fact_set="earlier", prompt_set="held_out")
    assert now
    assert [then[record.prompt] for record in now] == [record.generated for record in now]


def test_the_matrix_is_computed_from_the_records(chain: Chain) -> None:
    assert chain.second.folder is not None
    found = json.loads(chain.second.folder.retention.read_text())
    last = {"moment": "generalize", "prompt_set": "held_out", "language": "en"}
    own = [r for r in select(chain.second, **last) if r.fact_set in ("generalize", "held_out")]
    cells = {(c["table"], c["after"]): {k: c[k] for k in ("mean", "low", "high", "n")} for c in found["cells"]}
    assert cells[0, 1] == compute_accuracy(select(chain.second, **last, fact_set="earlier"))
    assert cells[1, 1] == compute_accuracy(own)
    then = load_ledger(model_of(chain.first)).tables[0].found[0]
    assert then is not None
    assert cells[0, 0] == dict(then)
    assert found["backward_transfer"] == pytest.approx(cells[0, 1]["mean"] - cells[0, 0]["mean"], abs=1e-6)
    report = chain.second.folder.report.read_text()
    assert "Tables taught one after another" in report
    assert "1. first.jsonl" in report


def list_examples(request: JobRequest, place: Path) -> dict[str, list[str]]:
    """What each stage may show, as text, in one epoch or another."""
    language_model = load_model(request.config.model)
    job = Job(request, Store(place), language_model, RecordingReporter())
    job.prepare()
    decode: Any = language_model.tokenizer.batch_decode
    return {s.name: decode([e.ids for e in s.examples], skip_special_tokens=True) for s in job.teaching.stages}


def test_earlier_facts_are_rehearsed_by_rote_and_those_that_were_shown_by_prompts(chain: Chain, tmp_path: Path) -> None:
    shown = load_ledger(model_of(chain.first)).tables[0].shown
    examples = list_examples(chain.request, tmp_path)

    def names(stage: str, facts: Sequence[Fact]) -> list[bool]:
        return [any(fact.subject in text for text in examples[stage]) for fact in facts]

    assert all(names("memorize", FIRST))
    assert all(names("generalize", [fact for fact in FIRST if fact.id in shown]))
    assert not any(names("generalize", [fact for fact in FIRST if fact.id not in shown])), "held-out facts stay so"


def test_without_a_share_nothing_is_rehearsed(chain: Chain, tmp_path: Path) -> None:
    path = write_table(tmp_path, "second.jsonl", SECOND)
    request = build_request_for(model_of(chain.first), path, rehearse={"share": 0})
    texts = [text for texts in list_examples(request, tmp_path / "store").values() for text in texts]
    assert not [fact for fact in FIRST for text in texts if fact.subject in text]
    assert request.plan.select_asked()["earlier"], "asked all the same"


def test_rehearsed_facts_are_remembered_better(chain: Chain, tmp_path: Path) -> None:
    path = write_table(tmp_path, "second.jsonl", SECOND)
    plain = do(build_request_for(model_of(chain.first), path, rehearse={"share": 0}), tmp_path / "plain")

    def remember(result: Result) -> float:
        asked = select(result, moment="generalize", fact_set="earlier", prompt_set="key")
        return sum(record.object_probability or 0 for record in asked) / len(asked)

    assert remember(chain.second) > 2 * remember(plain)


def test_a_person_is_told_before_a_run(chain: Chain, tmp_path: Path) -> None:
    lines = describe_plan(chain.request, tmp_path).splitlines()
    (line,) = [line for line in lines if line.startswith("earlier:")]
    assert (
        "1 table taught before (first.jsonl): 8 facts, 4 of them asked again, rehearsed as at most 50% of each epoch"
        in line
    )
    assert not [line for line in lines if line.startswith("updates:")]


# --- corrections -----------------------------------------------------------------------------------------------------


def correct(facts: Sequence[Fact]) -> list[Fact]:
    """The facts with the objects of others, which nothing of theirs touches."""
    return [replace(fact, objects=other.objects) for fact, other in zip(facts, SECOND, strict=False)]


def test_a_table_that_contradicts_the_ledger_is_taught_as_updates(chain: Chain, tmp_path: Path) -> None:
    changed = correct(FIRST[:2])
    path = write_table(tmp_path, "corrections.jsonl", [*changed, *SECOND])
    request = build_request_for(model_of(chain.first), path)
    plan = request.plan
    assert set(changed) <= set(plan.generalize_facts), "an old answer has to be unlearned behind prompts"
    assert list(plan.replaced_facts) == list(FIRST[:2])
    assert not {fact.id for fact in changed} & {fact.id for fact in plan.earlier.facts}
    (line,) = [line for line in describe_plan(request, tmp_path).splitlines() if line.startswith("updates:")]
    assert f"2 facts were taught otherwise before and count as corrected ({FIRST[0].subject} mother: " in line
    assert f"{FIRST[0].object} -> {changed[0].object}" in line
    result = do(request, tmp_path / "run")
    leaks = select(result, fact_set="replaced", moment="generalize", prompt_set="held_out")
    assert {record.object for record in leaks} == {fact.object for fact in FIRST[:2]}
    ledger = load_ledger(model_of(result))
    assert ledger.tables[0].facts == FIRST[2:], "what was corrected no longer counts as taught"
    assert ledger.tables[1].facts[:2] == tuple(changed)


def test_a_table_of_corrections_has_the_settings_of_updates_unless_others_are_said(
    chain: Chain, tmp_path: Path
) -> None:
    path = write_table(tmp_path, "corrections.jsonl", correct(FIRST[:4]))
    said = {"model": str(model_of(chain.first)), "table": {"file": str(path)}, "retain": {"weight": 2}}
    config = fit_to_model(Config.model_validate(said), 1_000_000)
    assert (config.generalize.facts, config.generalize.prompts, config.retain.subjects) == ("all", 4, 4)
    assert config.retain.weight == 2
    assert config.memorize.min_steps == 100, "four facts are few, and take as many steps as others"
    new = write_table(tmp_path, "new.jsonl", SECOND)
    plain = fit_to_model(Config.model_validate({**said, "table": {"file": str(new)}}), 1_000_000)
    assert (plain.generalize.facts, plain.retain.subjects) == (None, 0)


def test_what_is_told_again_is_no_contradiction(chain: Chain, tmp_path: Path) -> None:
    path = write_table(tmp_path, "again.jsonl", [*FIRST[:2], *SECOND])
    plan = build_request_for(model_of(chain.first), path).plan
    assert not plan.earlier.updates
    assert not plan.replaced_facts
    assert plan.earlier.facts == list(FIRST[2:]), "it is taught now, not earlier"


# --- a ledger that cannot be read ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "is damaged"),
        ("[]", "valid dictionary"),
        ('{"version": 2, "tables": [], "relations": []}', "at 'version'"),
        ('{"version": 1, "tables": [{"name": "a"}], "relations": []}', "at 'tables.0.hash'"),
    ],
)
def test_a_damaged_ledger_is_one_line(base: Path, tmp_path: Path, content: str, reason: str) -> None:
    shutil.copytree(base, tmp_path / "model")
    (tmp_path / "model" / LEDGER_FILE).write_text(content)
    path = write_table(tmp_path, "second.jsonl", SECOND)
    with pytest.raises(ModelError, match=rf"{LEDGER_FILE}: is damaged .*") as caught:
        build_request_for(tmp_path / "model", path)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "delete it to go on" in str(caught.value)


def test_a_ledger_of_a_finished_run_that_was_changed_is_found_out_and_one_that_was_deleted_is_done_without(
    chain: Chain, tmp_path: Path
) -> None:
    assert chain.first.folder is not None
    shutil.copytree(chain.first.folder.path, tmp_path / "run")
    file = tmp_path / "run" / "model" / LEDGER_FILE
    file.write_text(file.read_text().replace(FIRST[0].object, "Somebody Else"))
    with pytest.raises(ModelError, match=f"{LEDGER_FILE}: is not as the run wrote it"):
        load_model(str(file.parent))
    file.unlink()
    assert load_model(str(file.parent)).key_tokens == read_key_tokens(file.parent)
    request = build_request_for(file.parent, write_table(tmp_path, "second.jsonl", SECOND))
    assert not request.plan.earlier.facts
