"""The folder of an experiment's trials: what each left behind, and what trials share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rote.records import Record, load_records
from rote.runs.folder import read_json


@dataclass(frozen=True)
class TrialStore:
    """The folder of an experiment's trials."""

    path: Path

    def records(self, name: str) -> Path:
        """One Parquet part per trial."""
        return self.path / "trials" / f"{name}.parquet"

    def outcome(self, name: str) -> Path:
        """What else a trial measured; written last."""
        return self.path / "trials" / f"{name}.json"

    def state(self, name: str) -> Path:
        """The weights after a stage that others may begin from."""
        return self.path / "states" / f"{name}.safetensors"

    def epochs(self, name: str) -> Path:
        """The epochs that a stage with a recall gate took."""
        return self.path / "states" / f"{name}.epochs.json"

    def examined(self, name: str) -> Path:
        """The records of one model and one list of questions."""
        return self.path / "examined" / f"{name}.parquet"

    def texts(self, name: str) -> Path:
        """Texts the untrained model wrote."""
        return self.path / "states" / f"{name}.json"


@dataclass(frozen=True)
class TrialResult:
    """A finished trial."""

    name: str
    outcome: dict[str, Any]
    records: list[Record]


def load_trial(store: TrialStore, name: str) -> TrialResult:
    """Read a finished trial."""
    return TrialResult(name, read_json(store.outcome(name)), load_records(store.records(name)))
