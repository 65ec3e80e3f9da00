"""`Entry`: what is published of one experiment, as text, so that it outlives the jobs it was measured by.

`results/results.json` is a list of them. An entry that other code measured is stale: it is kept, and said to be so,
until its experiment is done again.
"""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from rote.errors import RunError, first_line
from rote.experiments.claims import ClaimRow, judge_claims
from rote.experiments.experiment import Experiment
from rote.experiments.figures import Jobs, compute_cells
from rote.experiments.tables import build_tables, describe_pooling, warn_of_recall
from rote.models.embedded import EMBEDDED_NAME
from rote.report.dots import DotPanel, DotRow
from rote.report.results_page import ResultTable, StatePlane
from rote.report.scatter import ScatterPoint
from rote.runs.folder import write_json
from rote.runs.store import JobResult


@dataclass(frozen=True)
class Finished:
    """An experiment with the jobs that are finished."""

    name: str
    experiment: Experiment
    jobs: Jobs
    changes: tuple[str, ...] = ()
    """The `--set` pairs of what its runs share."""


@dataclass(frozen=True)
class Entry:
    """What is published of one experiment."""

    name: str
    title: str
    description: str
    command: str
    """How it is done again."""
    model: str
    seeds: int
    """For how many seeds all runs are there."""
    code: str
    """The version of the code that did its jobs."""
    tables: Sequence[ResultTable]
    notes: Sequence[str] = ()
    """What there is to say of the first table."""
    claims: Sequence[ClaimRow] = field(default_factory=tuple)
    panels: Sequence[DotPanel] = ()
    """The figures of its columns, to be drawn; results that were kept by earlier versions have none."""
    planes: Sequence[StatePlane] = ()
    """Hidden states, to be drawn; results that were kept by earlier versions have none."""
    stale: bool = False
    """Whether this version of the code has not measured it, or not all that its experiment declares."""
    about: str = ""
    """What tells it from others of its name and model, such as the table of a model that is served."""

    @property
    def key(self) -> tuple[str, str, str]:
        """What it has alone: a new entry with it takes its place."""
        return self.name, self.model, self.about

    @property
    def heading(self) -> str:
        """The title of its section."""
        model = "" if self.model == EMBEDDED_NAME else self.model
        return ", ".join(filter(None, (self.title, model, self.about)))


def build_entry(item: Finished, *, model: str, code: str) -> Entry:
    """The entry of an experiment whose jobs are there; `model` is the name that it is published under."""
    experiment, jobs = item.experiment, item.jobs
    seeds = min(len(members) for members in jobs.values())
    changes = "".join(f" --set {shlex.quote(change)}" for change in item.changes)
    of = "" if model == EMBEDDED_NAME else f" --model {shlex.quote(model)}"
    return Entry(
        name=item.name,
        title=experiment.heading,
        description=f"{begin_large(experiment.description)}{'.' * (not experiment.description.endswith('?'))}",
        command=f"rote reproduce {item.name}{of} --seeds {max(_list_seeds(jobs)) + 1}{changes}",
        model=model,
        seeds=seeds,
        code=code,
        tables=build_tables(experiment, jobs),
        notes=[*_name_seeds(jobs), *describe_pooling(jobs), *warn_of_recall(jobs)],
        claims=list(judge_claims(item.name, experiment, jobs, model=model, changes=item.changes)),
        panels=list(_build_panels(experiment, jobs)),
        planes=list(_build_planes(jobs)),
    )


def _list_seeds(jobs: Jobs) -> list[int]:
    return [job.outcome["config"]["seed"] for job in next(iter(jobs.values()))]


def _name_seeds(jobs: Jobs) -> Iterator[str]:
    """A line that says which seeds there are, where they are not the first ones."""
    seeds = _list_seeds(jobs)
    if seeds != list(range(len(seeds))):
        yield f"Seeds {', '.join(map(str, seeds))}; of the others not all runs are finished."


def _build_panels(experiment: Experiment, jobs: Jobs) -> Iterator[DotPanel]:
    cells = compute_cells(experiment.columns, jobs)
    for column in experiment.columns:
        papers = column.paper or [None] * len(experiment.runs)
        rows = [
            DotRow(run, cells.get((run, column.name)), paper)
            for run, paper in zip(experiment.runs, papers, strict=True)
        ]
        yield DotPanel(column.name, tuple(rows))


def _build_planes(jobs: Jobs) -> Iterator[StatePlane]:
    """Hidden states of the first seed, a plane for each run and moment; runs that are alike there share one."""
    runs: dict[tuple[str, tuple[ScatterPoint, ...]], list[str]] = {}
    for run, members in jobs.items():
        for moment, points in _list_points(members[0]):
            runs.setdefault((moment, points), []).append(run)
    for (moment, points), names in runs.items():
        yield StatePlane(" and ".join(names), moment, points)


def _list_points(job: JobResult) -> Iterator[tuple[str, tuple[ScatterPoint, ...]]]:
    points: list[dict[str, Any]] = job.outcome["points"]
    for moment in dict.fromkeys(point["moment"] for point in points):
        there = [point for point in points if point["moment"] == moment]
        yield moment, tuple(ScatterPoint(p["relation"], p["kind"], round(p["x"], 3), round(p["y"], 3)) for p in there)


def is_declared_otherwise(entry: Entry, experiment: Experiment) -> bool:
    """Whether an experiment has columns or runs today that a kept entry says nothing of, or the other way round."""
    columns = [(column.name, tuple(experiment.runs)) for column in experiment.columns]
    return bool(entry.panels) and columns != [(p.title, tuple(row.run for row in p.rows)) for p in entry.panels]


def merge_entries(
    kept: Sequence[Entry], new: Sequence[Entry], *, code: str, others: Sequence[Entry] = ()
) -> list[Entry]:
    """Those that were kept with the new ones in the place of their own, by experiment, model and what they are about;
    `code` is today's version. What other machines have fills gaps and takes the place of what is stale; of two of them
    the first does."""
    merged = _choose(kept, new, code, others)
    for entry in filter(lambda entry: entry.about, new):  # an earlier version did not say what an entry is about
        old = merged.get((entry.name, entry.model, ""))
        if old and old.description == entry.description:
            del merged[old.key]
    return [_age(entry, code) for entry in merged.values()]


def _choose(
    kept: Sequence[Entry], new: Sequence[Entry], code: str, others: Sequence[Entry]
) -> dict[tuple[str, str, str], Entry]:
    """Of entries with one key the last: the new one, else what today's code measured, else what was here first."""
    there = sorted((*reversed(others), *kept), key=lambda entry: entry.code == code)
    return {entry.key: entry for entry in (*there, *new)}


def tell_replaced(
    kept: Sequence[Entry], new: Sequence[Entry], *, code: str, others: Sequence[Entry] = ()
) -> Iterator[str]:
    """A line for each entry that is not shown any more, as one of its experiment and model with other settings, of
    other runs or of fewer seeds takes its place; and for each of other machines that gives way to a different one."""
    shown = _choose(kept, new, code, others)
    for entry in kept:
        there = shown[entry.key]
        is_less = there.seeds < entry.seeds or list_settings(entry) != list_settings(there)
        if is_less or (not there.command.startswith("rote reproduce ") and entry.tables != there.tables):
            yield f"{_name(there)} takes the place of {_name(entry)}; to keep both, write to another --out"
    for entry in others:
        there = shown[entry.key]
        if entry.tables != there.tables:
            yield f"{_name(entry)} of --add gives way to {_name(there)}; to show it, write to another --out"


def list_settings(entry: Entry) -> list[str]:
    """The `--set` pairs of an entry's command."""
    try:
        words = shlex.split(entry.command)
    except ValueError:  # an earlier version did not quote
        words = entry.command.split()
    return sorted(said for flag, said in pairwise(words) if flag == "--set")


def _name(entry: Entry) -> str:
    seeds = f"{entry.seeds} seed{'s' * (entry.seeds > 1)}"
    return f"{entry.name} ({', '.join(filter(None, (entry.model, entry.about, seeds)))}: `{entry.command}`)"


def save_entries(path: Path, entries: Sequence[Entry]) -> None:
    """Write them as JSON."""
    write_json(path, [asdict(entry) for entry in entries])


def begin_large(text: str) -> str:
    """A text as the beginning of a sentence."""
    return text[:1].upper() + text[1:]


def load_entries(path: Path) -> list[Entry]:
    """Those of a `results.json`. Raises `RunError` where it is damaged, or something else."""
    try:
        rows: list[Mapping[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"{path}: is damaged ({first_line(error)}); make it again with rote results") from error
    try:
        return _KEPT.validate_python([_write_as_today(row) for row in rows])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise RunError(f"{path}: holds something else than results; make it again with rote results") from error


_KEPT = TypeAdapter(list[Entry])
_LATER = ("made_of", "basis", "cause")
"""Texts that earlier versions did not write, as they did not write `n`."""


def _write_as_today(row: Mapping[str, Any]) -> dict[str, Any]:
    if row.keys() - {item.name for item in fields(Entry)}:
        raise ValueError("a later version wrote it")
    return {**row, "claims": [_write_claim_as_today(claim) for claim in row["claims"]]}


def _write_claim_as_today(row: Mapping[str, Any]) -> dict[str, Any]:
    keys = ClaimRow.__annotations__
    if keys.keys() != {"n", *_LATER, *row}:
        raise ValueError("a claim has other keys")
    ends = (None, None) if row["low"] == row["high"] else (row["low"], row["high"])
    today = {**{key: row.get(key) for key in keys}, "low": ends[0], "high": ends[1]}  # as rows are written today
    return {**today, **{key: row.get(key) or "" for key in _LATER}}


def _age(entry: Entry, code: str) -> Entry:
    stale = entry.code != code
    return replace(entry, stale=stale, claims=[{**row, "stale": stale} for row in entry.claims])
