"""`Store`: what jobs leave behind, by content, so that work that two jobs share is done once.

jobs/        of each finished job its records (Parquet) and all else it measured (JSON, written last)
stages/      of each stage of training the weights and the history, and the checkpoints of one that is under way
answers/     what one state of a model said to one list of questions, and other measures of it
texts/       what untrained models wrote, and which facts they know

A name is the hash of everything that decides the content, the version of the code among it: what is there is right,
and what is stale is not found. Only finished jobs have names without the version, so that stale results can be shown as
what they are. Every folder may be deleted; what is missing or damaged is done again: beside each file lies its sum.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rote.records import Record, load_records, save_records
from rote.runs.files import is_kept, keep_file, remove_dead_drafts
from rote.runs.folder import keep_json, read_json


def hash_content(content: Any) -> str:
    """A name for anything that can be written as JSON: 16 hexadecimal digits."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode("utf-8")).hexdigest()[:16]


@dataclass(frozen=True)
class StageFolder:
    """The files of one stage of training."""

    path: Path

    @property
    def state(self) -> Path:
        """The weights after the stage, as far as training changes them."""
        return self.path / "state.safetensors"

    @property
    def history(self) -> Path:
        """What was logged, update by update."""
        return self.path / "history.json"

    @property
    def checkpoints(self) -> Path:
        """Where training stands, while it is under way."""
        return self.path / "checkpoints"

    @property
    def lock(self) -> Path:
        """Held by the process that trains the stage."""
        return self.path / "lock"

    @property
    def is_kept(self) -> bool:
        """Whether the weights are there, and what was logged on the way to them."""
        return is_kept(self.state) and is_kept(self.history)

    @property
    def is_trained(self) -> bool:
        """Whether the stage came to its end once; its weights may have been removed since."""
        return is_kept(self.history)


@dataclass(frozen=True)
class JobResult:
    """A finished job: its records, and all else that was measured (`outcome`)."""

    name: str
    outcome: dict[str, Any]
    records: list[Record]


@dataclass(frozen=True)
class Store:
    """The folder of the work of many jobs."""

    path: Path

    def records(self, name: str) -> Path:
        """The records of a finished job."""
        return self.path / "jobs" / f"{name}.parquet"

    def outcome(self, name: str) -> Path:
        """What else a job measured; written last."""
        return self.path / "jobs" / f"{name}.json"

    def stage(self, name: str) -> StageFolder:
        """The files of a stage."""
        return StageFolder(self.path / "stages" / name)

    def answers(self, name: str) -> Path:
        """The records of one state of a model and one list of questions."""
        return self.path / "answers" / f"{name}.parquet"

    def content(self, kind: str, name: str) -> Path:
        """What else is kept under a name, as JSON: of the answers or the texts."""
        return self.path / kind / f"{name}.json"

    def keep(self, name: str, outcome: dict[str, Any], records: Iterable[Record]) -> None:
        """Write down a finished job."""
        with keep_file(self.records(name)) as draft:
            save_records(records, draft)
        keep_json(self.outcome(name), outcome)

    def is_finished(self, name: str, code: str) -> bool:
        """Whether a job is finished, by the version of the code that is given."""
        return self.find_code(name) == code

    def find_code(self, name: str) -> str | None:
        """The version of the code a job was finished by; None where it is not finished."""
        path = self.outcome(name)
        return str(read_json(path)["code"]) if is_kept(path) and is_kept(self.records(name)) else None

    def list_models(self) -> list[str]:
        """The models of the finished jobs, by name."""
        outcomes = (read_json(path) for path in self.path.glob("jobs/*.json") if is_kept(path))
        configs = (outcome.get("config", {}) for outcome in outcomes if isinstance(outcome, dict))
        return sorted({str(config["model"]) for config in configs if "model" in config})

    def load(self, name: str) -> JobResult:
        """Read a finished job. Raises `RunError` where it is damaged."""
        return JobResult(name, read_json(self.outcome(name)), load_records(self.records(name)))

    def remove_dead_drafts(self) -> None:
        """Remove what killed processes of this machine left half-written."""
        for folder in ("jobs", "answers", "texts"):
            remove_dead_drafts(self.path / folder)
