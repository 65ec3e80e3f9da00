"""`--track`: the loss of each update and the figures of each examination for a tracker of experiments, on this machine
alone unless the tracker is told otherwise by its own settings."""

import math
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, Any

from rote.runs.reporting import Advance, Reporter

if TYPE_CHECKING:
    from rote.pipeline.run import Result

Log = Callable[[Mapping[str, Any]], object]
_LOSS = re.compile(r"loss (\S+)")
_ELSEWHERE = ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL")
"""What would send trackio's figures away from this machine."""


class Tracker(StrEnum):
    """The trackers there are, by the name of their package."""

    trackio = "trackio"
    wandb = "wandb"


def load_tracker(tracker: Tracker) -> Any:
    """The package of a tracker. Raises `ConfigError` where it is not installed."""
    from rote.errors import ConfigError

    try:
        return import_module(tracker.value)
    except ImportError as error:
        raise ConfigError(
            f"--track {tracker.value}: {tracker.value} is not installed; pip install -e '.[{tracker.value}]'"
        ) from error


class TrackingReporter:
    """Shows what another reporter shows, and logs the loss of each update beside the step it belongs to."""

    def __init__(self, reporter: Reporter, log: Log) -> None:
        self._reporter, self._log = reporter, log
        self._first: dict[str, int] = {}
        """The first update of each stage that was seen; one that was gone on with has earlier ones."""

    @contextmanager
    def step(self, label: str) -> Iterator[Advance]:
        """A step of the other reporter; one that has losses is a stage of training."""
        with self._reporter.step(label) as advance:

            def pass_on(done: int, total: int, note: str) -> None:
                loss = _LOSS.match(note)
                if loss:
                    self._first.setdefault(label, done)
                    self._log({f"{label}/step": done, f"{label}/loss": float(loss[1])})
                advance(done, total, note)

            yield pass_on

    def finish(self, result: "Result") -> None:
        """Log what was done before of each stage, from its history, and the figures of each moment."""
        from rote.runs.folder import read_json

        assert result.folder is not None
        for name in (stage["name"] for stage in result.outcome["stages"]):
            for entry in read_json(result.folder.history(name)):
                if entry["step"] < self._first.get(name, math.inf):
                    self._log({f"{name}/step": entry["step"], f"{name}/loss": entry["loss"]})
        moments: dict[str, dict[str, Any]] = {}
        for row in result.summary:
            name = "/".join((row["measure"], row["fact_set"], row["prompt_set"], row["language"]))
            moments.setdefault(row["moment"], {"moment": row["moment"]})[name] = row["mean"]
        for figures in moments.values():
            self._log(figures)


@contextmanager
def track(tracker: Tracker | None, reporter: Reporter, name: str, config: Mapping[str, Any]) -> Iterator[Any]:
    """A reporter that tracks a run of that name, and how to end it; the given one where there is no tracker.

    What the package prints goes to standard error.
    """
    from rote.training.parallel import is_first_process

    if tracker is None or not is_first_process():
        yield reporter, lambda result: None
        return
    package = load_tracker(tracker)
    os.environ.setdefault("WANDB_MODE", "offline")
    with redirect_stdout(sys.stderr):
        options = {"auto_log_cpu": False, "auto_log_gpu": False} if tracker == "trackio" else {}
        with _here():
            package.init(project="rote", name=name, config=dict(config), **options)
    tracking = TrackingReporter(reporter, package.log)
    try:
        yield tracking, tracking.finish
    finally:
        with redirect_stdout(sys.stderr):
            package.finish()


@contextmanager
def _here() -> Iterator[None]:
    """As long as it lasts, nothing sends trackio elsewhere."""
    kept = {key: os.environ.pop(key) for key in _ELSEWHERE if key in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)
