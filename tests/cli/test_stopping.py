"""Ctrl-C and SIGTERM in the middle of a run: what was done is saved, and the command that is printed goes on."""

import os
import shlex
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.cli.conftest import SMALL, SMALL_TARGETS, TABLE, Outcome, call_rote

from rote.runs.reporting import Advance, SilentReporter

STEPS = ("--set", "memorize.epochs=6")
MODEL = "model/model.safetensors"


class SignallingReporter(SilentReporter):
    """Sends signals to this process as soon as a step has done so much."""

    def __init__(self, label: str, done: int, *signals: signal.Signals) -> None:
        self._at, self._signals, self.told = (label, done), signals, list[tuple[str, int]]()

    @contextmanager
    def step(self, label: str) -> Iterator[Advance]:
        def advance(done: int, total: int, note: str) -> None:
            self.told.append((label, done))
            if (label, done) == self._at:
                for number in self._signals:
                    os.kill(os.getpid(), number)

        advance(0, 1, "")
        yield advance


@pytest.fixture(autouse=True)
def _unproved(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fresh process takes seconds, and says nothing here."""
    monkeypatch.setattr("rote.pipeline.proving.verify_folder", lambda *_: {"prompts": 0, "max_logit_difference": 0.0})


def watch(monkeypatch: pytest.MonkeyPatch, label: str, done: int, *signals: signal.Signals) -> SignallingReporter:
    reporter = SignallingReporter(label, done, *signals)
    monkeypatch.setattr("rote.cli.progress.build_reporter", lambda **_: reporter)
    return reporter


def build_words(model_folder: Path, out: str) -> list[str]:
    return ["run", "facts.csv", "--model", str(model_folder), "--out", out, *SMALL, *STEPS]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> bytes:
    """The model of the run that nothing stopped."""
    place = tmp_path_factory.mktemp("whole")
    (place / "facts.csv").write_text(TABLE, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setattr("rote.pipeline.proving.verify_folder", lambda *_: {"prompts": 0, "max_logit_difference": 0.0})
        assert call_rote(*build_words(model_folder, "mine")).code in (0, 3)
    return (place / "mine" / MODEL).read_bytes()


def go_on(outcome: Outcome) -> Outcome:
    """Give the command that was printed."""
    (line,) = [line for line in outcome.err.splitlines() if line.startswith("rote: ")]
    assert outcome.err.endswith(f"{line}\n")
    command = line.removeprefix("rote: stopped and saved; go on with: ")
    assert command.endswith(" --resume")
    return call_rote(*shlex.split(command)[1:])


@pytest.mark.parametrize(
    ("number", "code", "label", "done"),
    [
        (signal.SIGINT, 130, "memorize", 3),
        (signal.SIGTERM, 143, "memorize", 3),
        (signal.SIGTERM, 143, "memorize", 6),  # all of it is done: it is kept
        (signal.SIGTERM, 143, "examine: before", 0),
    ],
)
def test_a_signal_saves_the_run_and_says_how_to_go_on(
    number: signal.Signals,
    code: int,
    label: str,
    done: int,
    workplace: Path,
    model_folder: Path,
    whole: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = [signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)]
    stopped = watch(monkeypatch, label, done, number)
    outcome = call_rote(*build_words(model_folder, "mine"))
    assert outcome.code == code
    assert stopped.told[-1] == (label, done) or label != "memorize", "no further update is made"
    assert not (workplace / "mine" / "manifest.json").exists()
    assert [signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)] == before
    rest = watch(monkeypatch, "", 0)
    assert go_on(outcome).code in (0, 3)
    assert not [moment for moment in rest.told if moment[0] == label == "memorize" and 0 < moment[1] <= done]
    assert (workplace / "mine" / MODEL).read_bytes() == whole


def test_a_second_signal_leaves_at_once(workplace: Path, model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch(monkeypatch, "memorize", 3, signal.SIGINT, signal.SIGINT)
    outcome = call_rote(*build_words(model_folder, "mine"))
    assert outcome.code == 130
    assert "stopped and saved" not in outcome.err
    assert not list(workplace.glob("store/stages/*/checkpoints/*"))
    assert not (workplace / "mine" / ".holder").exists()


def test_the_notice_says_that_it_was_heard(
    workplace: Path, model_folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    watch(monkeypatch, "examine: before", 0, signal.SIGTERM)
    assert call_rote(*build_words(model_folder, "mine")).code == 143
    assert "rote: stopping as soon as this is saved; once more to leave at once\n" in capfd.readouterr().err


SWEEP = """\
base: {table: {kind: invented, relations: [mother], count: 2}, generalize: {facts: 1, epochs: 1},
  examine: {facts: 1, languages: [en], known_facts: 1, unseen_facts: 1, choices: 1}, model: MODEL}
grid: {memorize.epochs: [6]}
"""
TARGETS = ("reproduce", "targets", "--seeds", "1", *SMALL_TARGETS, *STEPS)


@pytest.mark.parametrize(
    ("words", "label"),
    [(("sweep", "sweep.yaml", "--threads", "1"), "1/1 memorize"), ((*TARGETS, "--model", "MODEL"), "memorize")],
    ids=["sweep", "reproduce"],
)
def test_jobs_of_a_store_go_on_by_the_same_command(
    words: tuple[str, ...], label: str, workplace: Path, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workplace / "sweep.yaml").write_text(SWEEP.replace("MODEL", str(model_folder)), encoding="utf-8")
    command = [word.replace("MODEL", str(model_folder)) for word in words]
    watch(monkeypatch, label, 3, signal.SIGTERM)
    outcome = call_rote(*command, "--store", "store")
    assert outcome.code == 143
    line = outcome.err.splitlines()[-1]
    again = shlex.split(line.removeprefix("rote: stopped and saved; go on with: "))
    assert again == ["rote", *command, "--store", "store"]
    rest = watch(monkeypatch, "", 0)
    resumed = call_rote(*again[1:])
    assert resumed.code == 0, resumed.err
    assert not [done for told, done in rest.told if told == label and 0 < done <= 3], "three updates were kept"
    assert resumed.out == call_rote(*command, "--store", "undisturbed").out
