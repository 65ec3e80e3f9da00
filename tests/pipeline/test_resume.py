"""A run that was interrupted anywhere and resumed is the same run."""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.pipeline.conftest import Finished, Interrupted, InterruptingReporter, RecordingReporter

from rote.facts.fact import FactTable, build_provenance
from rote.facts.reading import load_table
from rote.pipeline import proving, report
from rote.pipeline.run import RunPlace, do_run
from rote.records import load_records
from rote.runs.folder import RunFolder, read_json
from rote.runs.reporting import SilentReporter
from rote.runs.sums import find_damage

STEPS = (
    "write retained texts",
    "find known facts",
    "examine: before",
    "beliefs: before",
    "memorize",
    "examine: memorize",
    "generalize",
    "examine: generalize",
    "beliefs: generalize",
    "save the model",
    "load it in a fresh process",
)
TRAINED = ("memorize", "generalize")
FIGURES = ("summary.json", "relations.json", "knowledge.json", "side_effects.json")
MODEL = ("model/model.safetensors", "model/tokenizer.json", "model/rote.json")


@pytest.fixture(autouse=True)
def _unproved(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a fresh process says of the saved model is tested with whole runs; here it would only take time."""
    monkeypatch.setattr(proving, "verify_folder", lambda *_: {"prompts": 0, "max_logit_difference": 0.0})


def assert_same_run(out: Path, finished: Finished) -> None:
    """Weights, records and figures, bit for bit."""
    for name in (*MODEL, *FIGURES, "retained.json", *(f"{phase}/history.json" for phase in TRAINED)):
        assert (out / name).read_bytes() == finished.read(name), name
    for moment in finished.result.outcome["moments"]:
        name = f"records/{moment}.parquet"
        assert load_records(out / name) == load_records(finished.folder.path / name), name
    assert (out / "report.html").is_file()
    assert not list(out.parent.rglob("*.draft"))


def pick_event(finished: Finished, label: str, where: str) -> str:
    """The event in the middle of a step, or its end."""
    events = [what for name, what in finished.events if name == label]
    return events[-1] if where == "end" else events[(len(events) - 1) // 2]


def assert_not_repeated(label: str, events: list[tuple[str, str]], before: list[tuple[str, str]]) -> None:
    """A step that was finished is not done again; of training that was not, only what was not saved."""
    done = STEPS[: STEPS.index(label)]
    assert not [name for name, _ in events if name in done[:-1]], "an earlier step was done again"
    if done and done[-1] in TRAINED:
        moves = [what for name, what in events if name == done[-1] and " of " in what]
        again = {what for name, what in before if name == done[-1] and " of " in what} & set(moves)
        assert len(again) <= 1, "at most the update during which it was interrupted"


def test_the_steps_are_these(finished: Finished) -> None:
    assert tuple(dict.fromkeys(label for label, _ in finished.events)) == STEPS


def stop(_: object) -> str:
    raise Interrupted


@pytest.mark.parametrize("where", ["middle", "end"])
def test_a_run_interrupted_in_every_step_one_after_another_ends_the_same(
    where: str, finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, before = finished.continue_at(tmp_path / "run"), RecordingReporter()
    for label in STEPS:
        reporter = InterruptingReporter(label, pick_event(finished, label, where))
        with pytest.raises(Interrupted):
            do_run(finished.request, place, reporter=reporter)
        assert not (place.out / "manifest.json").exists(), "what is not finished does not look so"
        assert_not_repeated(label, reporter.events, before.events)
        has_moments = bool(list(place.store.path.glob("stages/*/checkpoints/*")))
        assert has_moments == (label in TRAINED), "to go on with, and not a moment longer"
        before = reporter
    with monkeypatch.context() as patch:
        patch.setattr(report, "render_report", stop)
        with pytest.raises(Interrupted):
            do_run(finished.request, place, reporter=SilentReporter())
    assert not (place.out / "report.html").exists()
    rest = RecordingReporter()
    result = do_run(finished.request, place, reporter=rest)
    assert rest.events == [], "nothing but the report was left to be done"
    assert result.summary == finished.result.summary
    assert_same_run(place.out, finished)


CHILD = """
import sys
from pathlib import Path
from tests.pipeline.conftest import RecordingReporter, build_config
from rote.pipeline.run import run
from rote.config.job import Config

class Telling(RecordingReporter):
    def note(self, label, what):
        print(label, what, sep="\\t", flush=True)

config = Config.model_validate_json(sys.argv[1])
run(config, out=Path(sys.argv[2]), resume=True, reporter=Telling())
"""


def start_child(finished: Finished, place: RunPlace) -> subprocess.Popen[str]:
    root = Path(__file__).parents[2]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(root), str(root / "src")]),
        "OMP_NUM_THREADS": str(torch.get_num_threads()),  # the order of a sum depends on it
    }
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, finished.config.model_dump_json(), str(place.out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system cannot kill a process outright")
@pytest.mark.parametrize(
    "label",
    ["memorize", *(pytest.param(name, marks=pytest.mark.slow) for name in ("write retained texts", "generalize"))],
)
def test_a_run_that_was_killed_ends_the_same(label: str, finished: Finished, tmp_path: Path) -> None:
    place, event = finished.continue_at(tmp_path / "run"), (label, pick_event(finished, label, "middle"))
    with start_child(finished, place) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if tuple(line.rstrip("\n").split("\t")) == event:
                break
        child.kill()  # SIGKILL: nothing can be tidied up
    assert child.returncode == -signal.SIGKILL
    assert not (place.out / "manifest.json").exists()
    do_run(finished.request, place, reporter=SilentReporter())
    assert_same_run(place.out, finished)
    assert not list(place.store.path.glob("stages/*/checkpoints")), "the child's own were gone on with, and removed"


@pytest.mark.parametrize("lost", ["model", "records", "summary.json", "memorize/history.json"])
@pytest.mark.parametrize("how", ["removed", "flipped"])
def test_what_a_finished_run_lost_is_made_again(
    lost: str, how: str, finished: Finished, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = finished.continue_at(tmp_path / "run")
    shutil.copytree(finished.folder.path, place.out)
    path = place.out / lost
    if how == "removed":
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    else:
        file = sorted(found for found in path.rglob("*") if found.suffix != ".md")[0] if path.is_dir() else path
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    do_run(finished.request, place, reporter=SilentReporter())
    assert "is not as the run wrote it, and is made again" in caplog.text
    assert_same_run(place.out, finished)


def test_a_finished_run_that_is_written_again_is_not_finished_until_it_is(finished: Finished, tmp_path: Path) -> None:
    place = finished.continue_at(tmp_path / "run")
    shutil.copytree(finished.folder.path, place.out)
    (place.out / "summary.json").write_text("[]")
    with pytest.raises(Interrupted):
        do_run(finished.request, place, reporter=InterruptingReporter("save the model", "begin"))
    assert not [name for name in ("manifest.json", "files.json") if (place.out / name).exists()]
    do_run(finished.request, place, reporter=SilentReporter())
    assert_same_run(place.out, finished)


def test_a_run_made_again_answers_for_its_own_files_alone(finished: Finished, tmp_path: Path) -> None:
    place = finished.continue_at(tmp_path / "run")
    shutil.copytree(finished.folder.path, place.out)
    for one, other in (("memorize", "aside"), ("records", "memorize"), ("aside", "records")):
        (place.out / one).rename(place.out / other)
    do_run(finished.request, place, reporter=SilentReporter())
    assert read_json(place.out / "files.json").keys() == read_json(finished.folder.sums).keys()
    assert_same_run(place.out, finished)


def test_sources_that_a_table_names_since_are_taken_over_by_a_finished_run(
    finished: Finished, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = finished.continue_at(tmp_path / "run")
    shutil.copytree(finished.folder.path, place.out)
    facts = [replace(fact, provenance=build_provenance({"source": "me"})) for fact in finished.request.plan.table]
    plan = replace(finished.request.plan, table=FactTable(tuple(facts), seed=finished.request.plan.table.seed))
    caplog.set_level("INFO")
    do_run(replace(finished.request, plan=plan), place, reporter=SilentReporter())
    assert "what the table says of its sources is now in it" in caplog.text
    assert [fact.provenance.source for fact in load_table(place.out / "table.jsonl")] == ["me"] * len(facts)
    assert find_damage(RunFolder(place.out)) is None
