"""The tables of RESULTS.md as files for other programs: CSV for pandas and spreadsheets, LaTeX for a paper."""

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from rote.experiments.claims import ClaimRow
from rote.experiments.entries import Entry
from rote.figures import DIGITS
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
_FIGURES = ("experiment", "model", "about", "seeds", "stale", "run", "column", "mean", "low", "high", "n", "paper")


def write_tables(folder: Path, entries: Sequence[Entry], form: TableFormat) -> list[Path]:
    """Write every table into `folder`: the claims of all, and `EXPERIMENT-MODEL-NUMBER` for each (with the table
    of a served model before the number); returns the paths. As CSV all figures too, as numbers.

    LaTeX tables are a `tabular` with the rules of `booktabs`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tables = [*_list(entries), *([("figures", _FIGURES, list(_list_figures(entries)))] if form == "csv" else [])]
    return [_write(folder / f"{name}{_SUFFIXES[form]}", head, rows, form) for name, head, rows in tables]


def _list_figures(entries: Sequence[Entry]) -> Iterator[Row]:
    """What each run of each experiment came to, column by column; a run that was asked nothing has no line."""
    for entry in entries:
        for panel in entry.panels:
            for row in panel.rows:
                if found := row.figure:
                    numbers = [round(number, DIGITS) for number in (found.value, found.low, found.high)]
                    paper = "" if row.paper is None else row.paper
                    yield *entry.key, entry.seeds, entry.stale, row.run, panel.title, *numbers, found.n, paper


def _list(entries: Sequence[Entry]) -> Iterator[tuple[str, Row, Sequence[Row]]]:
    keys = list(ClaimRow.__annotations__)
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
