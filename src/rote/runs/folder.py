"""`RunFolder`: the places of a run's files.

identity.json     config, table hash and model hash: a folder serves one identity only
config.yaml       the configuration, to be run again with --config
table.jsonl       the facts
retained.json     the texts that kept the model as it was
records/          one Parquet file per moment
memorize/ ...     the history of each stage of training
model/            the taught model, for `transformers`
adapter/          its adapters alone, where there are some
summary.json      the figures
relations.json    the figures of each relation
knowledge.json    the figures by what the model knew before
side_effects.json what else changed
comparison.json   other methods beside this one, where they were asked for
retention.json    how earlier tables of the model are answered, where there were some
forgetting.json   what unlearning did, and forgotten.jsonl what was to be forgotten, of `rote forget`
served.json       the model in the forms it was exported in, where it was
manifest.json     everything needed to judge and repeat the run
files.json        the sum of each file above, by which a damaged one is found out; written last but for the report
report.html       for people
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rote.errors import RunError, first_line
from rote.runs.files import keep_file, replace_file


@dataclass(frozen=True)
class RunFolder:
    """The files of one run."""

    path: Path

    @property
    def identity(self) -> Path:
        """What run this folder belongs to."""
        return self.path / "identity.json"

    @property
    def config(self) -> Path:
        """The configuration, as YAML."""
        return self.path / "config.yaml"

    @property
    def table(self) -> Path:
        """The facts, as JSON Lines."""
        return self.path / "table.jsonl"

    @property
    def retained(self) -> Path:
        """The texts that kept the model as it was."""
        return self.path / "retained.json"

    @property
    def model(self) -> Path:
        """The taught model."""
        return self.path / "model"

    @property
    def adapter(self) -> Path:
        """The adapters of the taught model, without the base model."""
        return self.path / "adapter"

    @property
    def knowledge(self) -> Path:
        """The figures by what the model knew before."""
        return self.path / "knowledge.json"

    @property
    def side_effects(self) -> Path:
        """What else changed, ring by ring."""
        return self.path / "side_effects.json"

    @property
    def comparison(self) -> Path:
        """Other methods beside this one."""
        return self.path / "comparison.json"

    @property
    def retention(self) -> Path:
        """How each table that the model was taught is answered after each of them."""
        return self.path / "retention.json"

    @property
    def served(self) -> Path:
        """The figures of the GGUF files that were exported last."""
        return self.path / "served.json"

    @property
    def forgetting(self) -> Path:
        """What unlearning did; of `rote forget` alone."""
        return self.path / "forgetting.json"

    @property
    def forgotten(self) -> Path:
        """The facts that were to be forgotten, as JSON Lines; of `rote forget` alone."""
        return self.path / "forgotten.jsonl"

    @property
    def summary(self) -> Path:
        """The figures."""
        return self.path / "summary.json"

    @property
    def relations(self) -> Path:
        """The figures of each relation."""
        return self.path / "relations.json"

    @property
    def manifest(self) -> Path:
        """Everything needed to judge and repeat the run."""
        return self.path / "manifest.json"

    @property
    def sums(self) -> Path:
        """The sum of each file that was written before it."""
        return self.path / "files.json"

    @property
    def report(self) -> Path:
        """The report."""
        return self.path / "report.html"

    def records(self, moment: str) -> Path:
        """The records of one moment."""
        return self.path / "records" / f"{moment}.parquet"

    def history(self, phase: str) -> Path:
        """What was logged in one phase."""
        return self.path / phase / "history.json"

    @property
    def is_finished(self) -> bool:
        """Whether the run came to its end; the manifest is written last."""
        return self.manifest.is_file()


def write_json(path: Path, content: Any) -> None:
    """Write JSON, whole or not at all."""
    with replace_file(path) as draft:
        draft.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")


def keep_json(path: Path, content: Any) -> None:
    """Write JSON for the store, whole or not at all, with its sum."""
    with keep_file(path) as draft:
        draft.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read JSON that a run wrote. Raises `RunError` when it is damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"{path}: cannot be read ({first_line(error)}); choose another --out to start afresh") from error
