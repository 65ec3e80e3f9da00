"""`RESULTS.md`, `results/claims.json` and `results/results.html`: every finished experiment, written from the records
of its jobs.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rote.errors import RunError
from rote.experiments.claims import ClaimRow, format_ours, judge_claims
from rote.experiments.experiment import Experiment, list_experiments
from rote.experiments.figures import Jobs, compute_cells
from rote.experiments.reproduce import load_finished
from rote.experiments.tables import build_tables, format_table
from rote.figures import Figure
from rote.report.dots import DotPanel, DotRow
from rote.report.results_page import ClaimLine, ExperimentSection, ResultsContent, StatePlane, render_results
from rote.report.scatter import ScatterPoint
from rote.runs.files import replace_file
from rote.runs.store import JobResult, Store


@dataclass(frozen=True)
class Finished:
    """An experiment with the jobs that are finished."""

    name: str
    experiment: Experiment
    jobs: Jobs
    claims: Sequence[ClaimRow]
    changes: tuple[str, ...] = ()
    """The `--set` pairs of all its runs."""

    @property
    def seeds(self) -> int:
        """For how many seeds all runs are there."""
        return min(len(members) for members in self.jobs.values())

    @property
    def title(self) -> str:
        """The title, with the letter where there is one."""
        return self.experiment.title + (f" ({self.experiment.letter})" if self.experiment.letter else "")

    @property
    def description(self) -> str:
        """The description as a sentence."""
        return f"{_begin_large(self.experiment.description)}."

    @property
    def command(self) -> str:
        """How it is done again."""
        changes = "".join(f" --set {change}" for change in self.changes)
        return f"rote reproduce {self.name} --seeds {self.seeds}{changes}"


def write_results(
    folder: Path, *, store: Store, model: str, seeds: int, changes: tuple[str, ...] = ()
) -> list[Finished]:
    """Write the files into `folder`; returns what they show. Raises `RunError` where no experiment is finished."""
    finished = list(_collect(store, model=model, seeds=seeds, changes=changes))
    if not finished:
        raise RunError(
            f"{store.path}: no experiment is finished for {model} with these settings; give the --set of rote "
            f"reproduce, or run: rote reproduce NAME --store {store.path}"
        )
    with replace_file(folder / "RESULTS.md") as draft:
        draft.write_text("\n".join(_write_page(finished, model)) + "\n", encoding="utf-8")
    with replace_file(folder / "results" / "claims.json") as draft:
        rows = [row for item in finished for row in item.claims]
        draft.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    with replace_file(folder / "results" / "results.html") as draft:
        draft.write_text(render_results(build_content(finished, model)), encoding="utf-8")
    return finished


def _collect(store: Store, *, model: str, seeds: int, changes: tuple[str, ...]) -> Iterator[Finished]:
    for name, experiment in list_experiments().items():
        jobs = load_finished(experiment, model=model, seeds=seeds, store=store, changes=changes)
        if jobs:
            claims = list(judge_claims(name, experiment, jobs, model=model))
            yield Finished(name, experiment, jobs, claims, changes)


def _list_missing(finished: Sequence[Finished]) -> list[str]:
    return [name for name in list_experiments() if name not in {item.name for item in finished}]


def _write_page(finished: Sequence[Finished], model: str) -> Iterator[str]:
    missing = _list_missing(finished)
    yield "# Results"
    yield ""
    yield f"Written by `rote results` from the records of finished jobs; the model is `{model}`. Figures are"
    yield "generation accuracy unless said otherwise, as `mean [95% interval] (questions)`; intervals take facts as"
    yield "clusters, and are as wide as the seeds differ where that is more. Every experiment uses the paper's plain"
    yield "setting (nothing retained) unless its runs say otherwise. The paper's own figures are those of Qwen2.5-1.5B."
    if missing:
        yield ""
        yield f"Declared, but not finished here: {', '.join(f'`{name}`' for name in missing)}."
    yield ""
    yield "## Claims"
    yield ""
    yield "| claim | paper | ours | wanted | seeds | verdict |"
    yield "|---|---|---|---|---|---|"
    for item in finished:
        for row in item.claims:
            paper = row["paper"] or "-"
            cells = (row["text"], paper, format_ours(row), row["bound"], str(row["seeds"]), f"**{row['verdict']}**")
            yield f"| {' | '.join(cells)} |"
    for item in finished:
        yield from _write_section(item)


def _write_section(item: Finished) -> Iterator[str]:
    yield ""
    yield f"## {item.title}"
    yield ""
    yield f"{item.description} {item.seeds} seed(s): `{item.command}`"
    yield ""
    yield from format_table(item.experiment, item.jobs)
    for row in item.claims:
        if row["why"]:
            yield ""
            yield f"*{row['text']}*: {row['verdict']}. {_begin_large(row['why'])}."


def build_content(finished: Sequence[Finished], model: str) -> ResultsContent:
    """What the page with figures is made from."""
    sections = tuple(_build_section(item) for item in finished)
    return ResultsContent(model, sections, tuple(_list_missing(finished)))


def _build_section(item: Finished) -> ExperimentSection:
    return ExperimentSection(
        title=item.title,
        description=item.description.replace("`", ""),  # the page is no Markdown
        seeds=item.seeds,
        command=item.command,
        claims=tuple(_build_claim(row) for row in item.claims),
        panels=tuple(_build_panels(item)),
        planes=tuple(_build_planes(item.jobs)),
        tables=tuple(build_tables(item.experiment, item.jobs)),
    )


def _build_claim(row: ClaimRow) -> ClaimLine:
    return ClaimLine(
        text=row["text"],
        paper=row["paper"],
        ours=Figure(row["ours"], row["low"], row["high"], 0),
        bound=row["bound"],
        seeds=row["seeds"],
        verdict=row["verdict"],
        why=f"{_begin_large(row['why'])}." if row["why"] else "",
    )


def _build_panels(item: Finished) -> Iterator[DotPanel]:
    cells = compute_cells(item.experiment.columns, item.jobs)
    for column in item.experiment.columns:
        rows = []
        for run, paper in zip(item.experiment.runs, column.paper or [None] * len(item.experiment.runs), strict=True):
            cell = cells.get((run, column.name))
            rows.append(DotRow(run, cell, paper))
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
    # Jobs of a version that drew no picture are still finished; they have no points.
    points: list[dict[str, Any]] = job.outcome.get("points", [])
    for moment in dict.fromkeys(point["moment"] for point in points):
        there = [point for point in points if point["moment"] == moment]
        yield moment, tuple(ScatterPoint(p["relation"], p["kind"], p["x"], p["y"]) for p in there)


def _begin_large(text: str) -> str:
    return text[:1].upper() + text[1:]
