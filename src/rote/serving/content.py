"""What a run's folder holds, read once when the server starts; afterwards nothing is read from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rote.evaluation.side_effects import Loss, Taught, find_losses
from rote.facts.reading import load_table
from rote.pipeline.report import load_report_content
from rote.report.render import ReportContent
from rote.runs.opening import find_run_folder
from rote.serving.index import FactIndex, build_index


@dataclass(frozen=True)
class ServedRun:
    """A finished run, as the pages show it."""

    name: str
    """The last part of the folder's path; the rest is nobody's business."""
    report: ReportContent
    index: FactIndex
    losses: Sequence[Loss]
    """The questions behind the figures of side effects that were answered right before and no longer are."""


def load_served_run(path: Path) -> ServedRun:
    """Read a run. Raises `RunError` where it is none, is not finished, or a file of it is damaged."""
    folder = find_run_folder(path)
    report = load_report_content(folder)
    table = load_table(folder.table)
    taught = Taught({fact.subject for fact in table}, set(table.relations))
    return ServedRun(
        path.resolve().name, report, build_index(report.records, table), find_losses(report.records, taught)
    )
