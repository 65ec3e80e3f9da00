"""A run that was interrupted anywhere and resumed is the same run."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tests.pipeline.conftest import Finished, RecordingReporter, build_request

from rote.pipeline import run_report, work
from rote.pipeline.run import run
from rote.records import MOMENTS, load_records
from rote.runs.reporting import SilentReporter

STEPS = (
    "write retained texts",
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

FIGURES = ("summary.json", "relations.json", "knowledge.json", "side_effects.json")


class Interrupted(BaseException):
    """As Ctrl-C is: nothing that catches an `Exception` may hold it up."""


class InterruptingReporter(RecordingReporter):
    """Raises at the n-th event."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def note(self, label: str, what: str) -> None:
        super().note(label, what)
        if len(self.events) == self.number:
            raise Interrupted


@pytest.fixture(autouse=True)
def _unproved(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a fresh process says of the saved model is tested with whole runs; here it would only take time."""
    monkeypatch.setattr(work, "verify_folder", lambda *_: {"prompts": 0, "max_logit_difference": 0.0})


def assert_same_run(out: Path, finished: Finished) -> None:
    for name in ("model/model.safetensors", "model/tokenizer.json", "model/rote.json", *FIGURES, "retained.json"):
        assert (out / name).read_bytes() == finished.read(name), name
    for moment in MOMENTS:
        name = f"records/{moment}.parquet"
        assert load_records(out / name) == load_records(finished.folder.path / name)
    for phase in ("memorize", "generalize"):
        name = f"{phase}/history.json"
        assert (out / name).read_bytes() == finished.read(name), name
    assert (out / "report.html").is_file()
    assert not list(out.rglob("*.draft"))


def assert_not_repeated(rest: list[tuple[str, str]], before: list[tuple[str, str]]) -> None:
    """Steps that were finished are not done again; of a phase that was not, only what was not saved."""
    last = before[-1][0]
    for label in dict.fromkeys(label for label, _ in before if label != last):
        assert {what for name, what in rest if name == label} <= {"begin", "end"}, label
    if last in ("memorize", "generalize"):
        again = set(before) & {(name, what) for name, what in rest if name == last and " of " in what}
        assert len(again) <= 1, "at most the step during which it was interrupted"


def pick_event(events: list[tuple[str, str]], label: str, seed: int) -> int:
    """The number of a random event of one step, from 1."""
    places = [number for number, (name, _) in enumerate(events, start=1) if name == label]
    return random.Random(f"{label}/{seed}").choice(places)


def test_the_steps_are_these(finished: Finished) -> None:
    assert tuple(dict.fromkeys(label for label, _ in finished.events)) == STEPS


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("label", STEPS)
def test_a_run_interrupted_in_any_step_ends_the_same(label: str, seed: int, finished: Finished, tmp_path: Path) -> None:
    number, request = pick_event(finished.events, label, seed), finished.continue_at(tmp_path / "run")
    with pytest.raises(Interrupted):
        run(request, reporter=InterruptingReporter(number))
    assert not (request.out / "manifest.json").exists(), "what is not finished does not look so"
    rest = RecordingReporter()
    result = run(request, reporter=rest)
    assert result.summary == finished.result.summary
    assert_same_run(request.out, finished)
    assert_not_repeated(rest.events, finished.events[:number])


def test_a_run_interrupted_again_and_again_ends_the_same(finished: Finished, tmp_path: Path) -> None:
    request, rng = finished.continue_at(tmp_path / "run"), random.Random(5)
    for _ in range(3):
        with pytest.raises(Interrupted):
            run(request, reporter=InterruptingReporter(rng.randint(8, 16)))
    run(request, reporter=SilentReporter())
    assert_same_run(request.out, finished)


def test_a_run_interrupted_before_its_report_writes_it_when_resumed(
    finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(_: object) -> str:
        raise Interrupted

    request = finished.continue_at(tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr(run_report, "render_report", stop)
        with pytest.raises(Interrupted):
            run(request, reporter=SilentReporter())
    run(request, reporter=SilentReporter())
    assert_same_run(request.out, finished)


def test_another_seed_is_another_run(finished: Finished, tmp_path: Path) -> None:
    run(build_request(finished.base, tmp_path / "run", seed=1), reporter=SilentReporter())
    assert (tmp_path / "run/model/model.safetensors").read_bytes() != finished.read("model/model.safetensors")


CHILD = """
import sys
from pathlib import Path
from tests.pipeline.conftest import RecordingReporter, build_request
from rote.pipeline.run import run

class Telling(RecordingReporter):
    def note(self, label, what):
        print(label, what, flush=True)

run(build_request(Path(sys.argv[1]), Path(sys.argv[2]), resume=True), reporter=Telling())
"""


def start_child(finished: Finished, out: Path) -> subprocess.Popen[str]:
    root = Path(__file__).parents[2]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(root), str(root / "src")]),
        "OMP_NUM_THREADS": str(torch.get_num_threads()),  # the order of a sum depends on it
    }
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(finished.base), str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system cannot kill a process outright")
@pytest.mark.parametrize("moment", range(10))
def test_a_run_killed_at_a_random_moment_ends_the_same(moment: int, finished: Finished, tmp_path: Path) -> None:
    out, number = tmp_path / "run", random.Random(moment).randrange(1, len(finished.events))
    with start_child(finished, out) as child:
        assert child.stdout is not None
        for _ in range(number):
            assert child.stdout.readline()
        child.kill()  # SIGKILL: nothing can be tidied up
    assert child.returncode == -signal.SIGKILL
    assert not (out / "manifest.json").exists()
    with start_child(finished, out) as child:
        assert child.stdout is not None
        told = child.stdout.read()
    assert child.returncode == 0, told
    assert_same_run(out, finished)
