"""Jobs on a tiny model: what one leaves behind, what jobs share, and that sharing changes nothing."""

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.pipeline.conftest import RecordingReporter, build_config, build_table, do_job, list_moments

from rote.config.job import Config
from rote.errors import ConfigError
from rote.evaluation.examine import examine
from rote.models.loading import LoadOptions, load_model
from rote.pipeline import job as room
from rote.pipeline import measures as measures_room
from rote.pipeline import stages as stages_room
from rote.pipeline.job import build_identity, build_request, name_job
from rote.pipeline.run import teach
from rote.runs.manifest import compute_code_hash
from rote.runs.store import JobResult, Store

OWN = "tests.methods.own_method:plan"
CODE_PLACES = (room, stages_room, measures_room)
"""Where the version of the code is asked for."""


@pytest.fixture(scope="session")
def plain(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which the small job is done; only to be read."""
    path = tmp_path_factory.mktemp("plain") / "store"
    do_job(build_config(base), path)
    return path


@pytest.fixture
def store(plain: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(plain, tmp_path / "store")


def name(config: Config) -> str:
    return name_job(build_request(config))


def list_files(path: Path) -> dict[str, int]:
    return {str(file.relative_to(path)): file.stat().st_mtime_ns for file in path.rglob("*") if file.is_file()}


def read_history(result: JobResult, store: Path, stage: int = 0) -> list[dict[str, Any]]:
    history: list[dict[str, Any]] = json.loads(
        Store(store).stage(result.outcome["stages"][stage]["kept"]).history.read_text()
    )
    return history


# --- one job ---------------------------------------------------------------------------------------------------------


def test_a_job_leaves_one_file_of_records_and_one_of_what_else_it_measured(base: Path, plain: Path) -> None:
    config = build_config(base)
    result = Store(plain).load(name(config))
    assert {file.name for file in (plain / "jobs").iterdir() if file.suffix != ".sha256"} == {
        f"{result.name}.parquet",
        f"{result.name}.json",
    }
    assert not list(plain.rglob("*.draft"))
    assert list_moments(result.records) == ["before", "memorize", "generalize"]
    asked = [
        Counter((r.fact_set, r.subject, r.prompt, r.candidates) for r in result.records if r.moment == moment)
        for moment in list_moments(result.records)
    ]
    assert asked[0] == asked[1] == asked[2], "the same questions at every moment"
    outcome = result.outcome
    assert Config.model_validate(outcome["config"]) == config
    assert outcome["table"]["hash"] == build_table().content_hash
    assert [stage["name"] for stage in outcome["stages"]] == ["memorize", "generalize"]
    assert sum(stage["training_tokens"] for stage in outcome["stages"]) == outcome["training_tokens"] > 0
    assert outcome["labels"] == {}
    assert outcome["representations"] == []
    examined = {f"examine: {moment}" for moment in outcome["moments"]}
    assert set(outcome["seconds"]) == {"memorize", "generalize"} | examined


def test_a_finished_job_is_not_done_again(base: Path, plain: Path) -> None:
    config, before, reporter = build_config(base), list_files(plain), RecordingReporter()
    assert do_job(config, plain, reporter) == Store(plain).load(name(config))
    assert reporter.events == []
    assert list_files(plain) == before


def test_a_job_is_named_after_all_that_decides(base: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    changes: list[dict[str, Any]] = [
        {},
        {"seed": 1},
        {"method": "untaught"},
        {"examine": {"facts": 2}},
        {"retain": {"texts": 4}},
        {"table": {"count": 5}},
        {"training_tokens": 1000},
    ]
    names = {name(build_config(base, change)) for change in changes}
    assert len(names) == len(changes)
    assert name(build_config(base, keep="merged", checkpoint_seconds=5)) in names, "these decide nothing"
    elsewhere = tmp_path / "moved"
    elsewhere.mkdir()
    for path in base.iterdir():
        (elsewhere / path.name).write_bytes(path.read_bytes())
    assert name(build_config(elsewhere)) == name(build_config(base))
    weights = elsewhere / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert name(build_config(elsewhere)) not in names
    own.write_text(PACK.replace("Who is the mother of {subject}?", "Say who bore {subject}:"))
    assert name(build_config(base, relations=[str(own)])) not in names
    first = name(build_config(base, relations=[str(own)]))
    own.write_text(PACK)
    assert name(build_config(base, relations=[str(own)])) != first, "a prompt was reworded"


PACK = """
relation: mother
description: the mother of a person
subject_type: person
object_type: person
prompts:
  en:
    training: ["Who is the mother of {subject}?", "Name the mother of {subject}:"]
    held_out: ["By birth, {subject} is the child of"]
    control: ["Where does {subject} live?"]
"""


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
    result = do_job(build_config(base, method=method), tmp_path)
    assert list_moments(result.records) == moments == result.outcome["moments"]
    with_keys = {record.moment for record in result.records if record.prompt_set == "key"}
    assert with_keys == (set(moments) if method in ("mixed_training", "repetition") else set())
    assert set(result.outcome["labels"].values()) == ({"shown", "left out"} if method == "repetition" else set())
    in_context = [record.prompt for record in result.records if record.moment == "in_context"]
    assert all(prompt.count("\n") == 2 for prompt in in_context)
    assert bool(in_context) == (method == "in_context")


def test_hidden_states_are_compared_at_every_moment_where_asked(base: Path, tmp_path: Path) -> None:
    config = build_config(base, representations=True, generalize={"facts": 1})
    rows = do_job(config, tmp_path).outcome["representations"]
    assert {row["moment"] for row in rows} == {"before", "memorize", "generalize"}
    assert {row["measure"] for row in rows} >= {"delta_cossim", "key_similarity"}
    Store(tmp_path).outcome(name(config)).unlink()
    assert do_job(config, tmp_path).outcome["representations"] == rows


def test_an_unknown_method_is_refused_before_anything_is_loaded(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "load_model", None)
    with pytest.raises(ConfigError, match="the nearest is 'fine_tuning'"):
        do_job(build_config(base, method="fine_tunning"), tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"keep": "adapter"}, r"keep=adapter: there are adapters only with --set tuning=lora"),
        ({"retain": {"subjects": 1}}, r"retain\.subjects=1: only answers that come twice are held"),
        ({"retain": {"texts": 1, "file": "none.txt"}}, r"none\.txt: there is no such text file \(--set retain\.file\)"),
        ({"side_effects": {"text": "none.txt"}}, r"none\.txt: there is no such text file .*side_effects\.text"),
        (
            {"retain": {"texts": 1, "file": "/dev/zero"}},
            r"\(--set retain\.file\): it is no regular file; write the text",
        ),
        ({"side_effects": {"text": "/dev/zero"}}, r"\(--set side_effects\.text\): it is no regular file"),
        ({"method_settings": {"depth": 3}}, "takes no settings of its own"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(changes: dict[str, Any], message: str, base: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        build_request(build_config(base, changes))


def test_a_text_file_that_would_fill_the_memory_is_refused(base: Path, tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    with path.open("wb") as file:
        file.truncate(2**33)  # a hole: takes no room on the disk
    with pytest.raises(ConfigError, match=r"texts\.txt: .*\(--set retain\.file\): it is larger than 50,000,000 bytes"):
        build_request(build_config(base, retain={"texts": 1, "file": str(path)}))


def test_training_tokens_scale_the_epochs_of_any_method(base: Path, tmp_path: Path) -> None:
    wanted = 800
    for method in ("memorize_then_generalize", "fine_tuning"):
        config = build_config(base, method=method, training_tokens=wanted)
        found = do_job(config, tmp_path).outcome["training_tokens"]
        assert found == pytest.approx(wanted, rel=0.15), method


# --- a model in memory -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_a_model_in_memory_is_taught_as_one_in_a_folder(tuning: str, base: Path, store: Path) -> None:
    language_model, config = load_model(str(base)), build_config(base, tuning=tuning)
    result = teach(language_model, build_table(), config.model_copy(update={"model": "none"}))
    assert result.records == do_job(config, store).records
    questions = build_request(config).plan.build_questions((), language_model.key_tokens, chat=False)
    again = examine(language_model, questions, moment="generalize", batch_size=32)
    said = [record for record in result.records if record.moment == "generalize"]
    assert [record.generated for record in again] == [record.generated for record in said], "it is the taught model"
    for record, expected in zip(again, said, strict=True):
        assert record.object_logprobs == pytest.approx(expected.object_logprobs, abs=1e-4)
    assert not any("lora" in name for name, _ in language_model.model.named_parameters())


def test_a_result_shows_its_figures_in_a_notebook_and_its_records_as_a_frame(base: Path) -> None:
    result = teach(load_model(str(base)), build_table(), build_config(base, method="untaught"))
    rows = [row for row in result.summary if row["measure"] == "generation_accuracy"]
    html = result._repr_html_()
    assert html.count("<tr>") == 1 + len(rows)
    assert all(f"<td>{row['fact_set']}</td>" in html for row in rows)
    frame = result.to_pandas()
    assert len(frame) == len(result.records)
    assert list(frame["subject"]) == [record.subject for record in result.records]


# --- what jobs share -------------------------------------------------------------------------------------------------

CHANGES: dict[str, dict[str, Any]] = {
    "other facts": {"generalize": {"facts": 1}},
    "a defence": {"defend": {"scramble_keys": True}},
    "derived": {"derive": {"relations": ["child"], "facts": 1, "afterwards": True}},
    "retained": {"retain": {"texts": 6, "batch_size": 2}},
    "gated": {"memorize": {"stop_at_recall": 0.1, "epochs": 6}},
    "adapters": {"tuning": "lora"},
}


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES.keys())
def test_jobs_that_begin_alike_share_the_state_and_are_what_they_are_alone(
    changes: dict[str, Any], base: Path, tmp_path: Path
) -> None:
    config = build_config(base, changes)
    alone = do_job(config, tmp_path / "alone")
    shared, reporter = tmp_path / "shared", RecordingReporter()
    do_job(build_config(base, changes, {"generalize": {"facts": 3, "epochs": 1}}), shared)
    beside = do_job(config, shared, reporter)
    assert "memorize" not in reporter.steps, "it is taken over"
    assert "generalize" in reporter.steps
    assert beside.records == alone.records
    assert beside.outcome["training_tokens"] == alone.outcome["training_tokens"]


def test_adapters_go_with_every_method(base: Path, tmp_path: Path) -> None:
    result = do_job(build_config(base, tuning="lora", method="fine_tuning"), tmp_path)
    assert list_moments(result.records) == ["before", "fine_tune"]
    whole = sum(parameter.numel() for parameter in load_model(str(base)).model.parameters())
    assert result.outcome["parameters"] == whole
    before, after = (
        [record.object_probability for record in result.records if record.moment == moment]
        for moment in result.outcome["moments"]
    )
    assert before != after, "they have learned"
    history = read_history(result, tmp_path)
    assert history[-1]["loss"] < history[0]["loss"]
    states = list(tmp_path.rglob("state.safetensors"))
    assert states == [], "the last stage's weights, which nothing begins from, are not kept"


@pytest.mark.parametrize(
    "changes", [{"memorize": {"epochs": 2}}, {"seed": 1}, {"key_token": "[Y{number}]"}, {"tuning": "lora"}]
)
def test_jobs_that_begin_otherwise_share_nothing(changes: dict[str, Any], base: Path, store: Path) -> None:
    reporter = RecordingReporter()
    other = do_job(build_config(base, changes), store, reporter)
    assert "memorize" in reporter.steps
    assert other.records != Store(store).load(name(build_config(base))).records


def test_another_k_is_measured_without_memorizing_again(base: Path, store: Path) -> None:
    stages = {path.name for path in (store / "stages").iterdir()}
    reporter = RecordingReporter()
    result = do_job(build_config(base, generalize={"facts": 1}), store, reporter)
    assert [stage["kept"] in stages for stage in result.outcome["stages"]] == [True, False]
    assert "memorize" not in reporter.steps


def test_checkpoints_that_a_kill_left_beside_a_finished_stage_are_removed(base: Path, store: Path) -> None:
    for stage in (store / "stages").iterdir():
        (stage / "checkpoints" / "step-00000003").mkdir(parents=True)
    do_job(build_config(base, generalize={"facts": 1}), store)  # takes memorize over
    taken = [stage for stage in (store / "stages").iterdir() if (stage / "state.safetensors").exists()]
    assert len(taken) == 1
    assert not (taken[0] / "checkpoints").exists()


def test_the_same_questions_to_the_same_model_are_asked_once(base: Path, store: Path) -> None:
    reporter = RecordingReporter()
    do_job(build_config(base, generalize={"epochs": 3}), store, reporter)
    assert reporter.steps == ["generalize", "examine: generalize"]


# --- the gate --------------------------------------------------------------------------------------------------------


def test_a_gate_is_charged_for_the_epochs_it_took(base: Path, tmp_path: Path) -> None:
    def count(**memorize: Any) -> int:
        config = build_config(base, memorize=memorize, examine={"facts": 1, "unseen_facts": 0, "choices": 0})
        tokens: int = do_job(config, tmp_path).outcome["stages"][0]["training_tokens"]
        return tokens

    once = count(epochs=1)
    assert count(epochs=4, stop_at_recall=1e-9) == 4 * once, "nothing is recalled yet: it never opens"
    epochs, rest = divmod(count(epochs=100, stop_at_recall=0.25), once)
    assert 1 <= epochs < 100
    assert rest == 0


def test_the_gate_asks_the_whole_table_once_a_sample_has_passed(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages_room, "RECALL_SAMPLE", 2)
    config = build_config(base, memorize={"epochs": 100, "stop_at_recall": 0.9}, generalize={"epochs": 0})
    history = [entry for entry in read_history(do_job(config, tmp_path), tmp_path) if "key_recall" in entry]
    asked = [entry["key_recall_facts"] for entry in history]
    assert set(asked) == {2, 8}, "the sample passed before the table did"
    assert asked[-1] == 8
    assert history[-1]["key_recall"] >= 0.9
    assert len(history) < 100
    assert all(entry["key_recall"] < 0.9 for entry in history[:-1])


# --- what is stale ---------------------------------------------------------------------------------------------------


def test_a_result_of_another_version_of_the_code_is_done_again(
    base: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, kept = build_config(base), Store(store)
    first = kept.load(name(config))
    assert kept.is_finished(first.name, compute_code_hash(room.ROOMS))
    for place in CODE_PLACES:
        monkeypatch.setattr(place, "compute_code_hash", lambda _: "another version")
    assert not kept.is_finished(first.name, "another version")
    assert name(config) == first.name, "so it can be shown as what it is: a result of another version"
    reporter = RecordingReporter()
    again = do_job(config, store, reporter)
    assert kept.is_finished(first.name, "another version")
    assert {"examine: before", "memorize", "generalize", "examine: generalize"} <= set(reporter.steps)
    assert again.records == first.records


def test_a_model_of_the_hub_is_known_by_its_commit(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine's cache of the hub holds two commits of a model; a branch names one of them."""
    cached = tmp_path / "models--someone--tiny"
    for branch, commit in (("main", "1" * 40), ("other", "2" * 40)):
        shutil.copytree(base, cached / "snapshots" / commit)
        (cached / "refs").mkdir(exist_ok=True)
        (cached / "refs" / branch).write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(room, "check_model", lambda *_: None)

    def identify(revision: str | None) -> tuple[str, str]:
        request = build_request(build_config("someone/tiny"), LoadOptions(revision=revision))
        return build_identity(request)["model"]["hash"], name_job(request)

    (first, one), (second, two) = identify("main"), identify("other")
    assert (first, second) == ("1" * 40, "2" * 40)
    assert one != two
    before = identify(None)
    (cached / "refs" / "main").write_text("2" * 40)  # somebody has pushed other weights
    after = identify(None)
    assert before[0] == first
    assert after[0] == second
    assert after[1] != before[1]


# --- what is missing -------------------------------------------------------------------------------------------------


def test_a_job_that_lost_files_is_done_again(base: Path, store: Path) -> None:
    config, kept = build_config(base), Store(store)
    undisturbed = kept.load(name(config))
    for lost in ("stages/*/state.safetensors", "answers/*.parquet", "jobs/*.parquet"):
        kept.outcome(undisturbed.name).unlink()
        sorted(store.glob(lost), key=lambda path: path.stat().st_mtime_ns)[-1].unlink()
        assert do_job(config, store).records == undisturbed.records, lost


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damaged",
    ["stages/*/state.safetensors", "stages/*/history.json", "answers/*.parquet", "jobs/*.parquet", "jobs/*.json"],
)
def test_a_job_whose_files_are_damaged_does_that_part_again(
    damaged: str, base: Path, store: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One bit, which leaves a file that can be read."""
    config = build_config(base)
    undisturbed = Store(store).load(name(config))
    if not damaged.startswith("jobs"):
        Store(store).outcome(undisturbed.name).unlink()
    if "state" in damaged:
        shutil.rmtree(store / "answers")  # with them nobody needs the weights
    for path in store.glob(damaged):
        flip(path)
    again = do_job(config, store)
    assert again.records == undisturbed.records
    assert {key: again.outcome[key] for key in ("stages", "facts")} == {
        key: undisturbed.outcome[key] for key in ("stages", "facts")
    }
    assert "is damaged or not what was written there, and is made again" in caplog.text


def test_answers_of_another_moment_in_their_place_are_found_out(base: Path, store: Path) -> None:
    config = build_config(base)
    undisturbed = Store(store).load(name(config))
    Store(store).outcome(undisturbed.name).unlink()
    first, second = sorted((store / "answers").glob("*.parquet"))[:2]
    for suffix in ("", ".sha256"):
        one, other = (path.with_name(path.name + suffix) for path in (first, second))
        content = one.read_bytes(), other.read_bytes()
        one.write_bytes(content[1])
        other.write_bytes(content[0])
    assert do_job(config, store).records == undisturbed.records
