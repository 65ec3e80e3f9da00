"""A whole run on a tiny model: what it leaves behind, and that it says what the model says."""

import json
import platform
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from rote.config.run import RunConfig
from tests.pipeline.conftest import Finished, RecordingReporter, build_request, build_table
from transformers import AutoModelForCausalLM, AutoTokenizer

from rote.config.loading import load_config
from rote.errors import ModelError, RunError, TableError, TemplateError
from rote.evaluation.summary import compute_summary
from rote.facts.fact import Fact, FactObject, FactTable, build_fact
from rote.facts.names import contains_answer
from rote.facts.reading import load_table
from rote.facts.relation import load_shipped_relations, load_wikidata_relations
from rote.facts.shipped import load_world
from rote.models.loading import SAFE, load_model
from rote.models.saving import save_model
from rote.models.verification import take_fingerprint, verify_folder
from rote.pipeline.job import build_identity
from rote.pipeline.plan import build_run_plan, pick_known_facts
from rote.pipeline.run import RunRequest, describe_plan, pick_out_folder, run
from rote.records import FACT_SETS, MEASURES, MOMENTS, QUESTION_SETS, Record, load_records
from rote.runs.reporting import SilentReporter

KEYS = {"moment", "fact_set", "prompt_set", "language", "measure", "mean", "low", "high", "n"}


def load_all(finished: Finished) -> list[Record]:
    return [record for moment in MOMENTS for record in load_records(finished.folder.records(moment))]


# --- what is left behind ---------------------------------------------------------------------------------------------


def test_the_summary_keeps_its_contract(finished: Finished) -> None:
    rows = json.loads(finished.read("summary.json"))
    assert rows == finished.result.summary
    for row in rows:
        assert set(row) == KEYS
        assert row["moment"] in MOMENTS
        assert row["fact_set"] in FACT_SETS
        assert row["prompt_set"] in QUESTION_SETS
        assert row["language"] in (("-",) if row["prompt_set"] == "key" else ("en", "zh"))
        assert row["measure"] in MEASURES
        assert 0 <= row["low"] <= row["mean"] <= row["high"] <= 1
        assert row["n"] > 0
    assert {row["moment"] for row in rows} == set(MOMENTS)
    assert {row["fact_set"] for row in rows} == {*FACT_SETS} - {"replaced"}, "a run replaces nothing; a trial may"
    assert {row["prompt_set"] for row in rows} == {*QUESTION_SETS} - {"chat"}, "its tokenizer has no chat template"
    assert {row["measure"] for row in rows} == set(MEASURES)
    assert {row["language"] for row in rows} == {"-", "en", "zh"}
    groups = [tuple(row[key] for key in ("moment", "fact_set", "prompt_set", "language", "measure")) for row in rows]
    assert len(set(groups)) == len(groups)
    assert rows == compute_summary(load_all(finished)), "figures come from records only"


def test_facts_are_memorized_and_the_sets_are_what_they_say(finished: Finished) -> None:
    def mean(moment: str, fact_set: str) -> float:
        wanted = {"moment": moment, "fact_set": fact_set, "prompt_set": "key", "measure": "object_probability"}
        return float(next(row["mean"] for row in finished.result.summary if wanted.items() <= row.items()))

    assert mean("before", "held_out") < 0.01
    assert mean("memorize", "held_out") > 0.05
    subjects = {
        fact_set: {record.subject for record in load_all(finished) if record.fact_set == fact_set}
        for fact_set in FACT_SETS
    }
    table = {fact.subject for fact in build_table()}
    assert subjects["generalize"] | subjects["held_out"] <= table
    assert not subjects["generalize"] & subjects["held_out"]
    assert len(subjects["generalize"]) == len(subjects["held_out"]) == 2
    assert subjects["known"] <= {fact.subject for fact in load_world()}
    assert len(subjects["unseen"]) == 2
    assert not subjects["unseen"] & table
    asked = [
        {(record.subject, record.prompt, record.candidates) for record in load_all(finished) if record.moment == moment}
        for moment in MOMENTS
    ]
    assert asked[0] == asked[1] == asked[2], "the same questions at every moment"


def test_the_manifest_says_all_that_is_needed_to_repeat_the_run(finished: Finished) -> None:
    manifest = json.loads(finished.read("manifest.json"))
    assert RunConfig.model_validate(manifest["config"]) == finished.request.config
    assert manifest["table"] == {"name": "tiny table", "hash": build_table().content_hash}
    assert manifest["model"]["name"] == str(finished.base)
    assert len(manifest["model"]["hash"]) == 64
    assert (manifest["seed"], manifest["table_seed"], manifest["facts"]) == (0, 3, 8)
    assert manifest["versions"]["python"] == platform.python_version()
    assert manifest["versions"]["torch"] == version("torch")
    assert {"rote", "transformers", "tokenizers", "safetensors"} <= set(manifest["versions"])
    assert manifest["precision"]["training"] in ("float32", "bfloat16 autocast over float32 weights")
    assert manifest["precision"]["examination"] == "float32"
    assert manifest["threads"] == torch.get_num_threads()
    assert set(manifest["durations"]) == {label for label, _ in finished.events}
    assert all(seconds >= 0 for seconds in manifest["durations"].values())
    assert manifest["durations"]["memorize"] > 0
    assert manifest["command"] == "rote run tiny"
    assert manifest["date"].endswith("+00:00")


def test_the_folder_can_be_run_again_from_its_own_files(finished: Finished) -> None:
    folder = finished.folder
    assert load_config(RunConfig, folder.config) == finished.request.config
    assert yaml.safe_load(folder.config.read_text())["memorize"]["epochs"] == 30
    assert load_table(folder.table).content_hash == build_table().content_hash
    assert not list(folder.path.rglob("*.draft"))
    kinds = {path.suffix for path in folder.path.rglob("*") if path.is_file()}
    assert kinds <= {".json", ".jsonl", ".yaml", ".html", ".parquet", ".safetensors", ".jinja", ".md"}


def test_the_report_and_the_histories_are_there(finished: Finished) -> None:
    html = finished.folder.report.read_text(encoding="utf-8")
    assert html.lstrip().lower().startswith("<!doctype html>")
    for record in load_all(finished):
        assert record.fact_set == "known" or record.subject in html
    memorize, generalize = (
        json.loads(finished.folder.history(name).read_text()) for name in ("memorize", "generalize")
    )
    assert (len(memorize), len(generalize)) == (60, 6)
    assert memorize[-1]["loss"] < memorize[0]["loss"]
    assert memorize[-1]["key_recall"] > 0.2


def test_every_step_shows_how_far_it_is(finished: Finished) -> None:
    labels = list(dict.fromkeys(label for label, _ in finished.events))
    for label in labels:
        events = [what for name, what in finished.events if name == label]
        assert (events[0], events[-1]) == ("begin", "end")
        moves = [tuple(map(int, what.split(" of "))) for what in events[1:-1]]
        assert moves == sorted(moves)
        assert not moves or moves[-1][0] == moves[-1][1]
    long = [label for label in labels if ("examine" in label or label in ("memorize", "generalize"))]
    assert len(long) == 5
    assert all(sum(name == label for name, _ in finished.events) > 3 for label in long)


# --- what the model says ---------------------------------------------------------------------------------------------


def test_plain_transformers_says_what_the_records_say(finished: Finished) -> None:
    model: Any = AutoModelForCausalLM.from_pretrained(finished.folder.model, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(finished.folder.model)
    records = [
        record
        for record in load_records(finished.folder.records("generalize"))
        if record.language == "en" and record.prompt_set == "held_out"
    ]
    answers = {fact.subject: fact.answers for fact in (*build_table(), *load_world())}
    said = set()
    for record in records:
        inputs = tokenizer(record.prompt, return_tensors="pt")
        out = model.generate(**inputs, do_sample=False, max_new_tokens=50)[0, inputs["input_ids"].shape[1] :]
        text = str(tokenizer.decode(out, skip_special_tokens=True, clean_up_tokenization_spaces=False)).strip()
        assert text.startswith(record.generated.rstrip("\ufffd")), "the record ends once the verdict is sure"
        assert contains_answer(text, answers.get(record.subject, (record.object,))) == record.correct
        said.add(text)
    assert len(records) >= 6
    assert len(said) > 2


def test_known_facts_never_occur_in_the_retained_texts(finished: Finished) -> None:
    tokenizer = AutoTokenizer.from_pretrained(finished.base)
    texts = tokenizer.batch_decode(json.loads(finished.read("retained.json")))
    assert len(texts) == 12
    everything = "\n".join(texts)
    assert any(fact.subject in everything for fact in load_world()), "the base model writes about its world"
    known = {record.subject for record in load_all(finished) if record.fact_set == "known"}
    assert known
    assert not [subject for subject in known if subject in everything]


def test_a_subject_in_the_retained_texts_is_no_known_fact() -> None:
    everything = [fact.subject for fact in pick_known_facts((), table=build_table(), count=0, seed=0)]
    texts = [f"I wrote about {subject}." for subject in everything[::2]]
    left = {fact.subject for fact in pick_known_facts(texts, table=build_table(), count=0, seed=0)}
    assert left
    assert not left & set(everything[::2])
    assert len(pick_known_facts(texts, table=build_table(), count=5, seed=0)) == 5
    assert pick_known_facts(texts, table=build_table(), count=5, seed=0) != pick_known_facts(
        texts, table=build_table(), count=5, seed=1
    )


# --- once more -------------------------------------------------------------------------------------------------------


def test_a_finished_run_is_not_done_again(finished: Finished) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished.folder.path.rglob("*")}
    reporter = RecordingReporter()
    again = run(finished.continue_at(finished.folder.path), reporter=reporter)
    assert (again.summary, again.manifest) == (finished.result.summary, finished.result.manifest)
    assert reporter.events == []
    assert {path: path.stat().st_mtime_ns for path in finished.folder.path.rglob("*")} == before


def test_a_folder_is_not_taken_twice(finished: Finished, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="holds this run already; add --resume"):
        run(finished.request, reporter=SilentReporter())
    other = build_request(finished.base, finished.folder.path, resume=True, seed=1)
    with pytest.raises(RunError, match=r"holds another run \(its config\.seed is 0, not 1\)"):
        run(other, reporter=SilentReporter())
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(RunError, match="is not empty and not a run folder"):
        run(build_request(finished.base, tmp_path), reporter=SilentReporter())


def test_no_epochs_no_retention_and_nothing_known_still_make_a_run(base: Path, tmp_path: Path) -> None:
    """The paper's plain setting has no retention; a model that is only examined has no epochs."""
    request = build_request(
        base,
        tmp_path / "run",
        memorize={"epochs": 0},
        generalize={"facts": 1, "epochs": 0},
        retain={"texts": 0},
        examine={"facts": 1, "languages": ["en"], "known_facts": 1, "unseen_facts": 0, "choices": 1},
    )
    result = run(request, reporter=SilentReporter())
    assert not result.folder.retained.exists()
    figures = [[row for row in result.summary if row["moment"] == moment] for moment in MOMENTS]
    assert all(
        {**first, "moment": ""} == {**last, "moment": ""} for first, last in zip(figures[0], figures[2], strict=True)
    )
    assert json.loads(result.folder.history("memorize").read_text()) == []


# --- before it begins ------------------------------------------------------------------------------------------------


def test_a_plan_is_told_and_nothing_is_written(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    request = pick_out_folder(build_request(base, Path()))
    text = describe_plan(request)
    assert list(tmp_path.iterdir()) == []
    assert "8 facts of 2 relations" in text
    assert "memorize:   30 epochs, 60 steps" in text
    assert "generalize: 4 facts, 1 prompt(s) each, 3 epochs, 6 steps" in text
    assert str(request.out) in text


def test_the_plan_is_what_is_then_done(finished: Finished) -> None:
    text = describe_plan(finished.request)
    steps = {
        phase: sum(label == phase and " of " in what for label, what in finished.events)
        for phase in ("memorize", "generalize")
    }
    assert f"{steps['memorize']} steps" in text
    assert f"{steps['generalize']} steps" in text
    records = load_records(finished.folder.records("before"))
    assert f"{len(records)} questions at each of 3 moments" in text


def test_folders_are_named_after_all_that_decides(base: Path) -> None:
    request = build_request(base, Path())
    names = {
        pick_out_folder(item).out
        for item in (
            request,
            build_request(base, Path("elsewhere")),
            build_request(base, Path(), seed=1),
            RunRequest(FactTable(build_table().facts[1:]), "tiny table", str(base), request.config, Path()),
        )
    }
    assert len(names) == 3
    assert all(name.parent == Path("runs") and " " not in name.name for name in names)


def test_the_identity_changes_with_the_weights(base: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for path in base.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    request = build_request(folder, Path())
    first = build_identity(request)
    assert build_identity(request) == first
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "model.safetensors").write_bytes(content)
    assert build_identity(request)["model"]["hash"] != first["model"]["hash"]


@pytest.mark.parametrize(
    ("facts", "error", "message"),
    [
        ([], TableError, "the table has no facts"),
        ([build_fact("Ada", "mohter", "39")], TemplateError, "'mohter' has no prompts"),
        ([build_fact("Ada Ross", "mother", "Ross")], TableError, "the subject 'Ada Ross' contains its object"),
    ],
)
def test_a_table_that_cannot_be_taught_is_refused_before_anything_is_written(
    facts: list[Fact], error: type[Exception], message: str, base: Path, tmp_path: Path
) -> None:
    config = build_request(base, tmp_path).config
    request = RunRequest(FactTable(tuple(facts)), "bad", str(base), config, tmp_path / "run")
    with pytest.raises(error, match=message):
        run(request, reporter=SilentReporter())
    with pytest.raises(error, match=message):
        describe_plan(request)
    assert list(tmp_path.iterdir()) == []


# --- what is proved, and what else is said ----------------------------------------------------------------------------


def test_what_was_saved_is_what_was_measured(finished: Finished) -> None:
    saved = json.loads(finished.read("manifest.json"))["saved"]
    assert saved["model"]["prompts"] == 8
    assert saved["model"]["max_logit_difference"] < 1e-4
    card = finished.read("model/README.md").decode("utf-8")
    header = yaml.safe_load(card.split("---")[1])
    assert header["library_name"] == "transformers"
    assert "base_model" not in header, "the hub knows no folders"
    assert str(finished.base.parent) not in card
    assert build_table().content_hash in card
    assert "| held-out facts | Key token |" in card


def test_another_model_is_not_what_was_measured(finished: Finished, tmp_path: Path) -> None:
    taught = load_model(str(finished.folder.model))
    prompts = ["Who is Gene Finley's mother?", "The capital of"]
    expected = take_fingerprint(taught, prompts)
    assert verify_folder(finished.folder.model, prompts, expected, SAFE)["max_logit_difference"] < 1e-4
    with torch.no_grad():
        next(taught.model.parameters()).add_(0.1)
    save_model(taught, tmp_path / "other")
    with pytest.raises(ModelError, match=r"other: what was saved is not what was measured"):
        verify_folder(tmp_path / "other", prompts, expected, SAFE)
    (tmp_path / "other" / "config.json").write_text("{")
    with pytest.raises(ModelError, match=r"other: a fresh process cannot load it"):
        verify_folder(tmp_path / "other", prompts, expected, SAFE)


def test_what_was_known_and_what_changed_is_in_files_and_on_the_page(finished: Finished) -> None:
    knowledge = json.loads(finished.read("knowledge.json"))
    assert {row["label"] for row in knowledge} <= {"known", "partly", "conflicting", "unknown", "invented"}
    asked = {row["moment"] for row in knowledge if row["label"] == "invented"}
    assert asked == {"before", "generalize"}
    rings = json.loads(finished.read("side_effects.json"))
    assert rings
    for row in rings:
        assert row["low"] <= row["loss"] <= row["high"]
        assert row["few"], "so small a model knows next to nothing"
        assert 0 <= row["known"] <= row["n"]
    html = finished.read("report.html").decode("utf-8")
    assert "What the model knew before" in html
    assert "What else changed" in html
    assert "Relation by relation" in html


def test_adapters_are_saved_alone_and_merged(finished: Finished, tmp_path: Path) -> None:
    pytest.importorskip("peft")
    text = tmp_path / "text.txt"
    text.write_text("The capital of France is Paris.\n\nRome is old.\n")
    changes: dict[str, Any] = {
        "tuning": "lora",
        "save": "both",
        "key_strategy": "existing",
        "lora": {"rank": 4, "learning_rate_factor": 1},
        "memorize": {"epochs": 2, "batch_size": 4, "micro_batch_size": 2, "learning_rate": 5e-3},
        "retain": {"texts": 2, "file": str(text), "tokens": 8, "loss": "replay", "generalize": True},
        "side_effects": {"text": str(text)},
        "gradient_checkpointing": True,
    }
    result = run(build_request(finished.base, tmp_path / "run", **changes), reporter=SilentReporter())
    assert set(result.manifest["saved"]) == {"model", "adapter"}
    assert all(proof["max_logit_difference"] < 1e-3 for proof in result.manifest["saved"].values())
    rings = json.loads((tmp_path / "run/side_effects.json").read_text())
    assert [row["n"] for row in rings if row["ring"] == "text"] == [2]
    base, taught = (load_model(str(path)).tokenizer for path in (finished.base, result.folder.model))
    assert base.get_vocab() == taught.get_vocab()


def test_the_embedded_models_own_subjects_are_asked_about_in_the_words_of_its_world() -> None:
    shipped, rich = load_shipped_relations()["occupation"], load_wikidata_relations()["occupation"]
    swapped = FactTable(
        tuple(replace(fact, objects=(FactObject("x"),)) for fact in load_world().select("occupation")[:2])
    )
    assert build_run_plan(swapped, RunConfig()).relations["occupation"] == shipped
    other = FactTable((build_fact("Gene Finley", "occupation", "baker"),))
    assert build_run_plan(other, RunConfig()).relations["occupation"] == rich
    assert build_run_plan(build_table(), RunConfig()).relations["occupation"] == shipped
