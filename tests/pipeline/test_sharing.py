"""Taking over another run's memorize phase changes nothing but the time."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.pipeline.conftest import CONFIG, Finished, RecordingReporter, build_request

from rote.pipeline.run import run

FEWER: dict[str, Any] = {"generalize": {**CONFIG["generalize"], "facts": 1}}


def count_memorize_steps(reporter: RecordingReporter) -> int:
    return sum(label == "memorize" and what not in ("begin", "end") for label, what in reporter.events)


def test_a_shared_memorize_phase_gives_the_same_model(finished: Finished, tmp_path: Path) -> None:
    alone, sharing = RecordingReporter(), RecordingReporter()
    own = run(build_request(finished.base, tmp_path / "own", **FEWER), reporter=alone)
    request = replace(build_request(finished.base, tmp_path / "shared", **FEWER), others=(finished.folder.path,))
    shared = run(request, reporter=sharing)
    weights = [(result.folder.model / "model.safetensors").read_bytes() for result in (own, shared)]
    assert weights[0] == weights[1]
    assert own.summary == shared.summary
    assert count_memorize_steps(alone) > 0
    assert count_memorize_steps(sharing) == 0


def test_another_memorize_phase_is_not_taken_over(finished: Finished, tmp_path: Path) -> None:
    reporter = RecordingReporter()
    changed: dict[str, Any] = {"memorize": {**CONFIG["memorize"], "epochs": 2}}
    request = replace(build_request(finished.base, tmp_path / "other", **changed), others=(finished.folder.path,))
    run(request, reporter=reporter)
    assert count_memorize_steps(reporter) > 0
