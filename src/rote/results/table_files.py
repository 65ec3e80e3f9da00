"""The tables of RESULTS.md as files for other programs: CSV for pandas and spreadsheets, LaTeX for a paper."""

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from rote.experiments.claims import ClaimRow
from rote.results.entries import Entry
from rote.runs.files import replace_file

TableFormat = Literal["csv", "latex"]
_SUFFIXES: dict[TableFormat, str] = {"csv": ".csv", "latex": ".tex"}
_SPECIAL = {
    **{mark: f"\\{mark}" for mark in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "−": "$-$",
}
Row = Sequence[object]
_FIGURES = (
    *("experiment", "model", "about", "command", "seeds", "stale", "table", "row", "column"),
    *("figure", "low", "high", "n", "ends"),
)
_CELL = re.compile(r"(-?\d[\d,]*\.?\d*)(?: [\[(](-?\d+\.\d+)(?:, | to )(-?\d+\.\d+)[\])])?(?: \((\d+)\))?")
"""A figure, its interval (or the least and the most of its seeds) and its questions, as tables write them."""
_LONG = ("text", "why", "cause")
"""Columns of the claims that are sentences, for which a table of a paper has no room."""


def write_tables(folder: Path, entries: Sequence[Entry], form: TableFormat) -> list[Path]:
    """Write every table into `folder`: the claims of all, and `EXPERIMENT-MODEL-NUMBER` for each (with the table
    of a served model before the number); returns the paths. As CSV all figures too, as numbers.

    LaTeX tables are a `tabular` with the rules of `booktabs`, the claims without their sentences.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tables = [*_list(entries, form), *([("figures", _FIGURES, list(_list_figures(entries)))] if form == "csv" else [])]
    return [_write(folder / f"{name}{_SUFFIXES[form]}", head, rows, form) for name, head, rows in tables]


def _list_figures(entries: Sequence[Entry]) -> Iterator[Row]:
    """Every cell of every table that is a number, with what stands above and beside it."""
    for entry in entries:
        for number, table in enumerate(entry.tables, start=1):
            for name, *cells in table.rows:
                for above, cell in zip(table.head[1:], cells, strict=False):
                    if found := _CELL.fullmatch(cell):
                        numbers = ("" if part is None else part.replace(",", "") for part in found.groups())
                        ends = "" if found[2] is None else "seeds" if f"{found[2]} to " in cell else "interval"
                        yield *entry.key, entry.command, entry.seeds, entry.stale, number, name, above, *numbers, ends


def _list(entries: Sequence[Entry], form: TableFormat) -> Iterator[tuple[str, Row, Sequence[Row]]]:
    keys = [key for key in ClaimRow.__annotations__ if form == "csv" or key not in _LONG]
    claims: list[Mapping[str, object]] = [{**row} for entry in entries for row in entry.claims]
    yield "claims", keys, [["" if row[key] is None else row[key] for key in keys] for row in claims]
    for entry in entries:
        for number, table in enumerate(entry.tables, start=1):
            yield name_file(*entry.key, str(number)), *asdict(table).values()


def name_file(*parts: str) -> str:
    """No part of a path, whatever an experiment, a model or a table of another machine is called."""
    return "-".join(filter(None, re.split(r"[^\w.-]+", "-".join(filter(None, parts))))).lstrip(".-")


def _write(path: Path, head: Row, rows: Sequence[Row], form: TableFormat) -> Path:
    texts = [[str(cell) for cell in row] for row in (head, *rows)]
    with replace_file(path) as draft:
        draft.write_text(_FORMATS[form](texts), encoding="utf-8")
    return path


def _format_csv(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _format_latex(rows: Sequence[Sequence[str]]) -> str:
    head, *body = (" & ".join(map(_escape, row)) + r" \\" for row in rows)
    columns = "l" + "r" * (len(rows[0]) - 1)
    return "\n".join(
        [
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            head,
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def _escape(text: str) -> str:
    return "".join(_SPECIAL.get(mark, mark) for mark in text)


_FORMATS: dict[TableFormat, Callable[[Sequence[Sequence[str]]], str]] = {"csv": _format_csv, "latex": _format_latex}
