"""Runs beside one another: generation accuracy by moment, fact set, prompt set and language, from records alone."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rote.errors import RunError
from rote.evaluation.statistics import Values, compute_difference, compute_mean
from rote.experiments.tables import format_cell, format_rows
from rote.figures import Figure, build_figure_row, format_figure
from rote.records import FACT_SETS, QUESTION_SETS, Record, load_records
from rote.runs.moments import load_all_records
from rote.runs.opening import find_run_folder
from rote.runs.shapes import Settings, read_shaped

_DECIDE_FACTS = {"table.hash", "table.count", "table.kind", "table.relations"}

Row = tuple[str, str, str, str]
"""Moment, fact set, prompt set and language."""


def load_run(path: Path) -> list[Record]:
    """The records of a run: the folder of a finished `rote run`, or the `.json` or `.parquet` file of a job.

    Raises `RunError` where there are none.
    """
    if path.is_dir():
        return load_all_records(find_run_folder(path))
    if not path.suffix and not path.exists():
        raise RunError(f"{path}: there is no such folder; give a run folder, or the .json or .parquet file of a job")
    if path.suffix not in (".json", ".parquet"):
        raise RunError(f"{path}: is no run; give a run folder, or the .json or .parquet file of a job")
    return _load(path.with_suffix(".parquet"))


def load_settings(path: Path) -> dict[str, Any]:
    """What decides the result of a run or a job, by dotted key; nothing for records alone."""
    file = find_run_folder(path).identity if path.is_dir() else path.with_suffix(".json")
    content = read_shaped(file, Settings) if file.is_file() else {}
    # A run says its table and its model beside its configuration, a job within it.
    beside = {part: content[part] for part in ("table", "model") if part in content}
    return dict(flatten_settings({**content.get("config", {}), **beside}))


def format_settings(runs: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """A line for each setting that is not the same in all runs, and a warning where they were taught other facts."""
    known = {name: settings for name, settings in runs.items() if settings}
    differing: dict[str, dict[str, Any]] = {}
    for key in dict.fromkeys(key for settings in known.values() for key in settings):
        values = {name: settings[key] for name, settings in known.items() if key in settings}
        if len(values) == len(known) and len(set(map(str, values.values()))) > 1:
            differing[key] = values
    for key, values in differing.items():
        yield f"{key}: {', '.join(f'{value} ({name})' for name, value in values.items())}"
    # An invented table follows from the seed; a table that was read has a hash.
    drawn = any(settings.get("table.kind", "fictional") != "fictional" for settings in known.values())
    if differing.keys() & {*_DECIDE_FACTS, *(("seed",) if drawn else ())}:
        yield "warning: these runs were not taught the same facts, so they were not asked the same questions"


def describe_ends(runs: Mapping[str, Sequence[Record]]) -> Iterator[str]:
    """A line that says what the end of each run is called, where that is not the same."""
    ends = {name: records[-1].moment for name, records in runs.items() if records}
    if len(set(ends.values())) > 1:
        yield f"end: {', '.join(f'{moment} ({name})' for name, moment in ends.items())}"


def pick_last_moments(runs: Iterable[Sequence[Record]]) -> list[list[Record]]:
    """Of each run the records of the moment that comes last. Where methods call it differently it is the `end` of all,
    so that the same questions stand beside one another."""
    last = [[record for record in records if record.moment == records[-1].moment] for records in runs]
    if len({record.moment for records in last for record in records[:1]}) < 2:
        return last
    return [[replace(record, moment="end") for record in records] for records in last]


@dataclass(frozen=True)
class ComparedRow:
    """Generation accuracy at one kind of question: a figure for each run, None where it was not asked; of two that
    were, also the second less the first."""

    questions: Row
    figures: Sequence[Figure | None]
    difference: Figure | None


def compare_runs(runs: Sequence[Sequence[Record]]) -> Iterator[ComparedRow]:
    """A row for each kind of question. Of two runs facts that are in both count as pairs."""
    columns = [_collect(records) for records in runs]
    for row in _sort_rows(columns):
        found = [column.get(row) for column in columns]
        is_pair = len(found) == 2 and all(found)
        yield ComparedRow(
            row,
            [compute_mean(values) if values else None for values in found],
            compute_difference(found[1] or {}, found[0] or {}) if is_pair else None,
        )


def compare_records(runs: Mapping[str, Sequence[Record]]) -> list[dict[str, Any]]:
    """What `format_comparison` shows as rows for JSON: of each run a figure or None, of two runs the difference."""
    rows = []
    for row in compare_runs(list(runs.values())):
        figures = [build_figure_row(figure) if figure else None for figure in row.figures]
        content: dict[str, Any] = dict(
            zip(("moment", "fact_set", "prompt_set", "language"), row.questions, strict=True)
        )
        content["figures"] = dict(zip(runs, figures, strict=True))
        if len(runs) == 2:
            content["difference"] = build_figure_row(row.difference) if row.difference else None
        rows.append(content)
    return rows


def format_comparison(runs: Mapping[str, Sequence[Record]]) -> Iterator[str]:
    """A table with one column for each run: mean, 95% interval over facts and number of questions.

    Of two runs the second less the first stands beside them; facts that are in both count as pairs.
    """
    head = ["moment", "facts", "prompts", "language", *runs]
    if len(runs) == 2:
        head.append("second - first")
    yield from format_rows(head, (_format_row(row, len(runs)) for row in compare_runs(list(runs.values()))))


def _format_row(row: ComparedRow, count: int) -> list[str]:
    difference = "" if row.difference is None else format_figure(row.difference, "+z.3f")
    return [*row.questions, *map(format_cell, row.figures), *([difference] if count == 2 else [])]


def flatten_settings(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Settings by dotted key."""
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield from flatten_settings(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _load(path: Path) -> list[Record]:
    if not path.is_file():
        raise RunError(f"{path}: there is no such file; name the folder of a run, or the records of a job (.parquet)")
    return load_records(path)


def _collect(records: Sequence[Record]) -> dict[Row, Values]:
    rows: dict[Row, Values] = {}
    for record in records:
        values = rows.setdefault((record.moment, record.fact_set, record.prompt_set, record.language), {})
        values.setdefault((record.relation, record.subject), []).append(float(record.correct))
    return rows


def _sort_rows(columns: Sequence[Mapping[Row, Values]]) -> list[Row]:
    """All rows: the moments and languages as they come, the sets in their own order."""
    rows = list(dict.fromkeys(row for column in columns for row in column))
    moments, languages = (list(dict.fromkeys(row[part] for row in rows)) for part in (0, 3))
    return sorted(
        rows,
        key=lambda row: (
            moments.index(row[0]),
            FACT_SETS.index(row[1]),
            QUESTION_SETS.index(row[2]),
            languages.index(row[3]),
        ),
    )
