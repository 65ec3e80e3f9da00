"""A whole run on a tiny model: what it leaves behind, and that it says what the model says."""

import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors import safe_open
from tests.pipeline.conftest import OWN, PRETRAINED, RELATIONS, Finished, RecordingReporter, build_config, build_table
from transformers import AutoModelForCausalLM, AutoTokenizer

from rote.config.job import Config
from rote.config.loading import load_config
from rote.errors import RunError, TableError, TemplateError
from rote.evaluation.asking import ask_model
from rote.evaluation.summary import compute_summary
from rote.facts.fact import Fact
from rote.facts.names import contains_answer
from rote.facts.reading import load_table
from rote.facts.shipped import load_world
from rote.models.loading import load_model
from rote.pipeline.job import build_identity, build_request
from rote.pipeline.preview import describe_plan, rehearse
from rote.pipeline.run import RunPlace, choose_place, do_run, run
from rote.records import FACT_SETS, MEASURES, QUESTION_SETS, Record, load_records

KEYS = {"moment", "fact_set", "prompt_set", "language", "measure", "mean", "low", "high", "n"}
MOMENTS = ("before", "memorize", "generalize")


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
    assert {row["fact_set"] for row in rows} == set(FACT_SETS[:4]), (
        "this table replaces nothing, nothing was taught before, and nothing is unlearned"
    )
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
    records = load_all(finished)
    subjects = {name: {record.subject for record in records if record.fact_set == name} for name in FACT_SETS}
    table = {fact.subject for fact in build_table()}
    assert subjects["generalize"] | subjects["held_out"] <= table
    assert not subjects["generalize"] & subjects["held_out"]
    assert len(subjects["generalize"]) == len(subjects["held_out"]) == 2
    assert len(subjects["unseen"]) == 2
    assert not subjects["unseen"] & table
    asked = [
        {(record.subject, record.prompt, record.candidates) for record in records if record.moment == moment}
        for moment in MOMENTS
    ]
    assert asked[0] == asked[1] == asked[2], "the same questions at every moment"


def test_the_manifest_says_all_that_is_needed_to_repeat_the_run(finished: Finished) -> None:
    manifest = json.loads(finished.read("manifest.json"))
    measured = finished.config.model_copy(update={"checkpoint_seconds": Config().checkpoint_seconds})
    assert Config.model_validate(manifest["config"]) == measured
    assert manifest["table"] == {"name": "fictional facts", "hash": build_table().content_hash}
    assert manifest["model"]["name"] == str(finished.base)
    assert len(manifest["model"]["hash"]) == 64
    assert (manifest["seed"], manifest["table_seed"], manifest["facts"]) == (0, build_table().seed, 8)
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
    assert load_config(Config, folder.config) == finished.config
    assert yaml.safe_load(folder.config.read_text())["memorize"]["epochs"] == 20
    assert load_table(folder.table).content_hash == build_table().content_hash
    assert not list(folder.path.rglob("*.draft"))
    kinds = {path.suffix for path in folder.path.rglob("*") if path.is_file() and path.name != ".lock"}
    assert kinds <= {".json", ".jsonl", ".yaml", ".html", ".parquet", ".safetensors", ".jinja", ".md"}


def test_nothing_of_the_optimizer_is_left(finished: Finished) -> None:
    """Adam's moments are twice the size of the model; while training is under way they are there (test_resume)."""
    weights = dict(load_model(str(finished.folder.model)).model.named_parameters())
    whole = sum(parameter.numel() * parameter.element_size() for parameter in weights.values())
    kept = sorted([*finished.folder.path.rglob("*.safetensors"), *finished.place.store.path.rglob("*.safetensors")])
    assert [path.name for path in kept] == ["model.safetensors", *["state.safetensors"] * (len(kept) - 1)]
    for path in kept:
        with safe_open(path, "pt") as file:
            assert set(file.keys()) <= set(weights)
        assert path.stat().st_size < 1.1 * whole + 10_000
    places = (finished.folder.path, finished.place.store.path)
    assert not [path for place in places for path in place.rglob("*") if path.name == "checkpoints"]
    large = {
        path for place in places for path in place.rglob("*") if path.is_file() and path.stat().st_size > whole / 2
    }
    assert large <= {*kept, finished.folder.report}


def test_the_report_and_the_histories_are_there(finished: Finished) -> None:
    html = finished.folder.report.read_text(encoding="utf-8")
    assert html.lstrip().lower().startswith("<!doctype html>")
    for record in load_all(finished):
        assert record.fact_set == "known" or record.subject in html
    memorize, generalize = (
        json.loads(finished.folder.history(name).read_text()) for name in ("memorize", "generalize")
    )
    assert (len(memorize), len(generalize)) == (40, 4)
    assert memorize[-1]["loss"] < memorize[0]["loss"] / 2
    measured = [entry["step"] for entry in memorize if entry.get("key_recall_facts") == 8]
    assert measured == list(range(2, 41, 2)), "recall by key token at the end of every epoch"
    assert json.loads(finished.read("manifest.json"))["memorized"]["recall"] == memorize[-1]["key_recall"]


def test_every_step_shows_how_far_it_is(finished: Finished) -> None:
    labels = list(dict.fromkeys(label for label, _ in finished.events))
    for label in labels:
        events = [what for name, what in finished.events if name == label]
        assert (events[0], events[-1]) == ("begin", "end")
        moves = [tuple(map(int, what.split(" of "))) for what in events[1:-1]]
        assert moves == sorted(moves)
        assert not moves or moves[-1][0] == moves[-1][1] or label == "write retained texts"
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


def test_known_facts_are_those_that_this_model_answers_rightly_twice(finished: Finished) -> None:
    """It was trained on twelve capitals; the world that is shipped and the person's own table hold many more facts."""
    records = [record for record in load_all(finished) if record.fact_set == "known"]
    known = {(record.relation, record.subject) for record in records}
    model, retained = load_model(str(finished.base)), "\n".join(json.loads(finished.read("retained.json")))

    def is_known(fact: Fact) -> bool:
        prompts = [template.fill(fact.subject) for template in RELATIONS[fact.relation].select_training(2)]
        return all(contains_answer(ask_model(model, prompt), fact.answers) for prompt in prompts)

    expected = {(fact.relation, fact.subject) for fact in OWN if fact.subject not in retained and is_known(fact)}
    assert known == expected
    assert len(known) == finished.result.outcome["known_facts"]
    assert 3 <= len(known) < len(OWN)
    first = [record.correct for record in records if (record.moment, record.prompt_set) == ("before", "training")]
    assert first == [True] * len(known)


def test_known_facts_never_occur_in_the_retained_texts(finished: Finished) -> None:
    texts = json.loads(finished.read("retained.json"))
    assert 0 < len(texts) == finished.result.outcome["retained_texts"]
    everything = "\n".join(texts)
    assert any(fact.subject in everything for fact in PRETRAINED), "the base model writes about its world"
    known = {record.subject for record in load_all(finished) if record.fact_set == "known"}
    assert known
    assert not [subject for subject in known if subject in everything]


# --- once more -------------------------------------------------------------------------------------------------------


def test_a_finished_run_is_not_done_again(finished: Finished) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished.folder.path.rglob("*")}
    reporter = RecordingReporter()
    again = do_run(finished.request, RunPlace(finished.folder.path, finished.place.store, True), reporter=reporter)
    assert (again.summary, again.outcome) == (finished.result.summary, finished.result.outcome)
    assert reporter.events == []
    assert {path: path.stat().st_mtime_ns for path in finished.folder.path.rglob("*")} == before


@pytest.mark.usefixtures("proved_here")
def test_a_run_that_changes_generalize_alone_takes_memorize_over(finished: Finished) -> None:
    config = finished.config.model_copy(
        update={"generalize": finished.config.generalize.model_copy(update={"epochs": 3})}
    )
    memorized = finished.result.outcome["stages"][0]["kept"]
    kept = finished.place.store.stage(memorized)
    before, reporter = {path: path.stat().st_mtime_ns for path in kept.path.rglob("*")}, RecordingReporter()
    result = run(config, out=finished.folder.path.parent / "other", reporter=reporter)
    assert reporter.events[0][0] == "generalize"
    assert not {"memorize", "examine: before", "examine: memorize", "write retained texts"} & set(reporter.steps)
    assert [stage["kept"] == memorized for stage in result.outcome["stages"]] == [True, False]
    assert {path: path.stat().st_mtime_ns for path in kept.path.rglob("*")} == before
    assert result.folder is not None
    assert result.folder.history("memorize").read_bytes() == finished.read("memorize/history.json")
    assert result.folder.records("memorize").read_bytes() == finished.read("records/memorize.parquet")
    assert len(json.loads(result.folder.history("generalize").read_text())) == 6


def test_a_folder_is_not_taken_twice(finished: Finished, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="holds this run already; add --resume"):
        run(finished.config, out=finished.folder.path)
    with pytest.raises(RunError, match=r"holds another run \(its config\.seed is 0, not 1\)"):
        run(finished.config.model_copy(update={"seed": 1}), out=finished.folder.path, resume=True)
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(RunError, match="is not empty and not a run folder"):
        run(finished.config, out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]


@pytest.mark.usefixtures("proved_here")
def test_no_epochs_no_retention_and_nothing_known_still_make_a_run(base: Path, tmp_path: Path) -> None:
    """The paper's plain setting has no retention; a model that is only examined has no epochs."""
    config = build_config(base, memorize={"epochs": 0}, generalize={"facts": 1, "epochs": 0}, examine={"choices": 1})
    result = run(config, out=tmp_path / "run")
    assert result.folder is not None
    assert not result.folder.retained.exists()
    figures = [[row for row in result.summary if row["moment"] == moment] for moment in MOMENTS]
    assert figures[0]
    assert all(
        {**first, "moment": ""} == {**last, "moment": ""} for first, last in zip(figures[0], figures[2], strict=True)
    )
    assert json.loads(result.folder.history("memorize").read_text()) == []


@pytest.mark.usefixtures("proved_here")
@pytest.mark.parametrize("method", ["in_context", "fine_tuning"])
def test_a_run_of_any_method_ends_in_a_model_and_a_report(method: str, base: Path, tmp_path: Path) -> None:
    result = run(build_config(base, method=method), out=tmp_path / "run")
    folder = result.folder
    assert folder is not None
    assert folder.report.is_file()
    taught, untaught = (load_model(str(path)).model.state_dict() for path in (folder.model, base))
    same = all(torch.equal(taught[name], untaught[name]) for name in untaught)
    assert same == (method == "in_context")


# --- before it begins ------------------------------------------------------------------------------------------------


def test_a_plan_is_told_and_nothing_is_written(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    request = build_request(build_config(base))
    place = choose_place(request, None)
    text = describe_plan(request, place.out)
    assert list(tmp_path.iterdir()) == []
    assert "8 facts of mother, capital (" in text
    assert "memorize:   3 epochs, 6 steps" in text
    assert "generalize: 4 facts, 4 prompts, 2 epochs, 4 steps" in text
    assert str(place.out) in text


def test_the_plan_is_what_is_then_done(finished: Finished) -> None:
    text = describe_plan(finished.request, finished.place.out)
    for phase in ("memorize", "generalize"):
        steps = sum(label == phase and " of " in what for label, what in finished.events)
        (line,) = [line for line in text.splitlines() if line.startswith(f"{phase}:")]
        assert f"{steps} steps" in line
    asked = [record for record in load_records(finished.folder.records("before")) if record.fact_set != "known"]
    (line,) = [line for line in text.splitlines() if line.startswith("examine:")]
    told = int(line.split("about ")[1].split()[0])
    assert told >= len(asked), "of known facts it asks at most so many"


def test_what_a_run_takes_is_told_without_training_or_writing(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    more = {"retain": {"texts": 8}, "knowledge": {"samples": 1}, "examine": {"unseen_facts": 1, "known_facts": 2}}
    request = build_request(build_config(base, more))
    (cost,), estimated = rehearse(request)
    assert list(tmp_path.iterdir()) == []
    assert cost.facts == 8
    steps = ["write retained texts", "find known facts", "examine: before", "beliefs: before"]
    steps += ["memorize", "examine: memorize", "generalize", "examine: generalize", "beliefs: generalize"]
    assert list(estimated.seconds) == steps
    assert all(seconds > 0 for seconds in estimated.seconds.values())
    assert (estimated.memory or 0) > sum(parameter.nbytes for parameter in load_model(str(base)).model.parameters())
    lines = estimated.describe()
    assert "memorize" in lines[0]
    assert lines[1].endswith("GB")


def test_a_run_keeps_what_it_was_estimated_to_take(finished: Finished) -> None:
    manifest = json.loads(finished.read("manifest.json"))
    assert set(manifest["estimated"]) <= set(manifest["durations"])
    assert {"memorize", "generalize", "examine: generalize"} <= set(manifest["estimated"])
    assert not {"write retained texts", "find known facts"} & set(manifest["estimated"]), "they are over by then"


def test_before_teaching_a_sample_of_the_facts_is_asked(base: Path) -> None:
    request = build_request(build_config(base, examine={"facts": 2, "before": 1, "unseen_facts": 1}))
    plan = request.plan
    questions = plan.build_questions((), {}, chat=False)
    asked = plan.sample_before(questions)
    sets = {
        name: {item.fact for item in asked if item.fact_set == name} for name in ("generalize", "held_out", "unseen")
    }
    assert {name: len(facts) for name, facts in sets.items()} == {"generalize": 2, "held_out": 2, "unseen": 2}
    assert set(asked) < set(questions), "the very questions that are asked afterwards"
    whole = build_request(build_config(base, examine={"facts": 2, "before": 0})).plan
    assert whole.sample_before(questions) == questions


def test_folders_are_named_after_all_that_decides(base: Path) -> None:
    changes: list[dict[str, Any]] = [{}, {"checkpoint_seconds": 3}, {"seed": 1}, {"table": {"count": 3}}]
    requests = [build_request(build_config(base, change)) for change in changes]
    names = [choose_place(request, None).out for request in requests]
    assert names[0] == names[1]
    assert len(set(names)) == 3
    assert all(name.parent == Path("runs") and " " not in name.name for name in names)


def test_the_identity_changes_with_the_weights(base: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for path in base.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    request = build_request(build_config(folder))
    first = build_identity(request)
    assert build_identity(request) == first
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "model.safetensors").write_bytes(content)
    assert build_identity(request)["model"]["hash"] != first["model"]["hash"]


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ("", TableError, "has no facts|no rows"),
        ("Ada,capitol,39", TemplateError, "'capitol' has no prompts"),
        ("Ada Ross,mother,Ross", TableError, "the subject 'Ada Ross' contains its object"),
    ],
)
def test_a_table_that_cannot_be_taught_is_refused_before_anything_is_written(
    rows: str, error: type[Exception], message: str, base: Path, tmp_path: Path
) -> None:
    file = tmp_path / "bad.csv"
    file.write_text(f"subject,relation,object\n{rows}\n")
    config = build_config(base, table={"file": str(file), "relations": (), "count": None})
    with pytest.raises(error, match=message):
        run(config, out=tmp_path / "run")
    assert list(tmp_path.iterdir()) == [file]


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


def test_what_was_known_and_what_changed_is_in_files_and_on_the_page(finished: Finished) -> None:
    knowledge = json.loads(finished.read("knowledge.json"))
    assert {row["label"] for row in knowledge} <= {"known", "partly", "conflicting", "unknown", "invented"}
    asked = {row["moment"] for row in knowledge if row["label"] == "invented"}
    assert asked == {"before", "generalize"}
    assert json.loads(finished.read("side_effects.json"))
    html = finished.read("report.html").decode("utf-8")
    assert "What the model knew before" in html
    assert "What else changed" in html
    assert "Relation by relation" in html


@pytest.mark.usefixtures("proved_here")
def test_adapters_are_saved_alone_and_merged(base: Path, tmp_path: Path) -> None:
    pytest.importorskip("peft")
    text = tmp_path / "text.txt"
    text.write_text("The capital of France is Paris.\n\nRome is old.\n")
    changes: dict[str, Any] = {
        "tuning": "lora",
        "keep": "both",
        "key_strategy": "existing",
        "lora": {"rank": 4, "learning_rate_factor": 1},
        "memorize": {"epochs": 2, "micro_batch_size": 2},
        "retain": {"texts": 2, "file": str(text), "loss": "replay", "generalize": True},
        "side_effects": {"text": str(text)},
        "gradient_checkpointing": True,
    }
    result = run(build_config(base, changes), out=tmp_path / "run")
    assert set(result.outcome["saved"]) == {"model", "adapter"}
    assert all(proof["max_logit_difference"] < 1e-3 for proof in result.outcome["saved"].values())
    rings = json.loads((tmp_path / "run/side_effects.json").read_text())
    assert [row["n"] for row in rings if row["ring"] == "text"] == [2]
    assert result.folder is not None
    before, taught = (load_model(str(path)).tokenizer for path in (base, result.folder.model))
    assert before.get_vocab() == taught.get_vocab()


def test_layers_among_noise_beside_contrasts_end_in_a_plain_model(base: Path, tmp_path: Path) -> None:
    """What fits models of 100 M to 1 B, on a small one; stopped after memorize and gone on with as well."""
    changes: dict[str, Any] = {
        "tuning": "layers",
        "memorize": {"epochs": 3, "loss": "object_only", "noise": 4},
        "generalize": {"epochs": 1, "prompts": 2, "contrasts": 0.5, "rote_lines": 0.25},
    }
    result = run(build_config(base, changes), out=tmp_path / "a" / "run")
    assert result.folder is not None
    (proof,) = result.outcome["saved"].values()  # of a fresh process
    assert proof["max_logit_difference"] < 1e-3
    before, taught = (load_model(str(path)).model.state_dict() for path in (base, result.folder.model))
    (table,) = (name for name in before if "embed_tokens" in name)
    assert torch.equal(taught[table][: len(before[table])], before[table])
    assert before.keys() == taught.keys()

    store = tmp_path / "b" / "store"
    first = {**changes, "generalize": {**changes["generalize"], "epochs": 0}}
    run(build_config(base, first), out=tmp_path / "b" / "first")
    assert any(store.rglob("*.safetensors"))
    again = run(build_config(base, changes), out=tmp_path / "b" / "run")
    assert [record.generated for record in again.records] == [record.generated for record in result.records]
