"""`Experiment`: a declaration read from YAML, the runs it stands for, and the table drawn from their records."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from rote.config.loading import load_config
from rote.config.run import RunConfig
from rote.config.strict import StrictConfig
from rote.errors import ConfigError
from rote.evaluation.intervals import Interval, compute_interval
from rote.records import Record

FOLDER = Path(__file__).parent


class Column(StrictConfig):
    """One figure: the generation accuracy over the records that fit; an empty list fits everything."""

    name: str
    moment: str
    fact_set: tuple[str, ...] = ()
    prompt_set: tuple[str, ...] = ()
    language: tuple[str, ...] = ()
    paper: tuple[float, ...] = ()
    """The paper's figure for each run, where it has one."""

    def fits(self, record: Record) -> bool:
        """Whether a record counts for this column."""
        wanted = (
            (self.fact_set, record.fact_set),
            (self.prompt_set, record.prompt_set),
            (self.language, record.language),
        )
        return record.moment == self.moment and all(not allowed or value in allowed for allowed, value in wanted)


class Experiment(StrictConfig):
    """An experiment: named runs, each a set of changes to the default configuration, and the columns of its table."""

    description: str
    runs: dict[str, dict[str, Any]]
    columns: tuple[Column, ...] = Field(min_length=1)


@dataclass(frozen=True)
class PlannedRun:
    """One run of an experiment."""

    name: str
    seed: int
    config: RunConfig

    @property
    def folder_name(self) -> str:
        """The name of its run folder."""
        plain = "".join(letter if letter.isalnum() else "-" for letter in self.name)
        return f"{plain.strip('-')}-seed{self.seed}"


def list_experiments() -> dict[str, Experiment]:
    """All declared experiments, by name."""
    return {path.stem: load_config(Experiment, path) for path in sorted(FOLDER.glob("*.yaml"))}


def plan_runs(experiment: Experiment, *, seeds: int, changes: Sequence[str] = ()) -> Iterator[PlannedRun]:
    """The runs of an experiment, seed by seed. `changes` are `--set` pairs for all of them."""
    for seed in range(seeds):
        for name, settings in experiment.runs.items():
            pairs = [f"{key}={value}" for key, value in settings.items()]
            yield PlannedRun(name, seed, load_config(RunConfig, None, [*pairs, *changes, f"seed={seed}"]))


def compute_cells(experiment: Experiment, records: Mapping[str, Sequence[Record]]) -> dict[tuple[str, str], Interval]:
    """Generation accuracy with its 95% interval, clustered by fact over all seeds, by (run, column).

    `records` holds those of all seeds of each run.
    """
    cells = {}
    for run, members in records.items():
        for column in experiment.columns:
            fitting = [record for record in members if column.fits(record)]
            if fitting:
                facts = [(record.relation, record.subject) for record in fitting]
                cells[run, column.name] = compute_interval([float(record.correct) for record in fitting], facts)
    return cells


def find_experiment(name: str) -> Experiment:
    """A declared experiment. Raises `ConfigError` naming those there are."""
    experiments = list_experiments()
    if name not in experiments:
        raise ConfigError(f"unknown experiment {name!r}; there are {', '.join(experiments)}")
    return experiments[name]
