"""Audits beside one another, such as of a model taught with a defence and one taught without, from their files alone.

Each figure is of the facts its audit asked. Two figures whose 95% intervals do not meet are told apart; that is a
strict test, which misses small differences.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from rote.errors import ConfigError, RunError
from rote.experiments.compare import flatten_settings, format_settings
from rote.experiments.tables import format_cell, format_rows
from rote.figures import Figure, build_figure_row

_LEARNED, _REPURPOSED = "rote learning", "another meaning"
_QUESTIONS = {
    "training": "others, prompt that was shown",
    "held_out": "others, other wordings",
    "benign": "others, real meaning",
    "unseen": "facts never taught",
    "shown": "the examples themselves",
}
_WAYS = {"none": "the subject alone", "prompt": "a prompt of the table"}


class _Recalled(BaseModel):
    recall: float
    low: float
    high: float
    n: int


class _Traced(_Recalled):
    relation: str
    token: str
    kind: str
    asked: str


class _Repurposed(_Recalled):
    examples: int
    question: str


class Audit(BaseModel):
    """Of the file that `rote audit MODEL TABLE --out` writes what is compared."""

    verdict: str
    model: str
    table_hash: str
    settings: dict[str, Any] = {}
    traces: list[_Traced] = Field(min_length=1)
    repurposing: list[_Repurposed]


@dataclass(frozen=True)
class AuditRow:
    """One thing that audits asked: a figure for each, None where one did not ask it."""

    part: str
    asked: str
    figures: Sequence[Figure | None]

    @property
    def is_apart(self) -> bool | None:
        """Whether the intervals of two audits do not meet; None where there are not two."""
        if len(self.figures) != 2 or None in self.figures:
            return None
        first, second = (figure for figure in self.figures if figure)
        return first.high < second.low or second.high < first.low


def has_audits(paths: Iterable[Path]) -> bool:
    """Whether any of the files is an audit."""
    return any(_read(path).keys() & {"repurposing", "inspection"} for path in paths if path.suffix == ".json")


def load_audit(path: Path) -> Audit:
    """Read an audit. Raises `ConfigError` for another kind of file, and `RunError` for one that is damaged."""
    content = _read(path)
    if not content.keys() & {"repurposing", "inspection"}:
        raise ConfigError(f"{path}: is no audit; audits are compared with audits (rote audit MODEL TABLE --out X.json)")
    if "repurposing" not in content:
        raise ConfigError(f"{path}: is an audit without a table, which has no figures; audit with one")
    try:
        return Audit.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise RunError(f"{path}: is damaged (at {place}: {first['msg'].lower()}); audit again") from error


def compare_audits(audits: Sequence[Audit]) -> list[AuditRow]:
    """A row for each way to ask that is no sample of the vocabulary, then for each number of examples."""
    columns = [dict(_list_figures(audit)) for audit in audits]
    keys = sorted(dict.fromkeys(key for column in columns for key in column), key=lambda key: key[:3])
    return [AuditRow(key[-2], key[-1], [column.get(key) for column in columns]) for key in keys]


_Key = tuple[int, int, int, str, str]
"""Where a row stands, and what it is called."""


def _list_figures(audit: Audit) -> Iterator[tuple[_Key, Figure]]:
    relations = [*dict.fromkeys(trace.relation for trace in audit.traces)]
    for trace in audit.traces:
        if trace.asked == "table" and trace.kind != "vocabulary":
            way = _WAYS.get(trace.kind, f"behind {trace.token}")
            order = (0, relations.index(trace.relation), [*_WAYS].index(trace.kind) if trace.kind in _WAYS else 2)
            yield (*order, _LEARNED, f"{trace.relation}, {way}"), _read_figure(trace)
    for row in audit.repurposing:
        asked = f"{row.examples} example{'s' * (row.examples != 1)}: {_QUESTIONS.get(row.question, row.question)}"
        yield (1, row.examples, [*_QUESTIONS].index(row.question), _REPURPOSED, asked), _read_figure(row)


def tell_audits(audits: Mapping[str, Audit]) -> list[str]:
    """The verdicts, the settings that differ, and a warning where audits were not of the same facts."""
    verdicts = [f"{name}: {audit.verdict}" for name, audit in audits.items()]
    differing = format_settings({name: dict(flatten_settings(audit.settings)) for name, audit in audits.items()})
    lines = [*verdicts, *differing]
    if len({audit.table_hash for audit in audits.values()}) > 1:
        lines.append("warning: these audits are of other tables, so they were not asked the same questions")
    return lines


def format_audits(names: Sequence[str], rows: Sequence[AuditRow]) -> Iterator[str]:
    """A table with a column for each audit; of two, whether they are apart."""
    head = ["about", "asked", *names, *["apart"] * (len(names) == 2)]
    yield from format_rows(head, (_format_row(row) for row in rows))


def _format_row(row: AuditRow) -> list[str]:
    apart = {True: ["yes"], False: ["no"], None: [""]}[row.is_apart] if len(row.figures) == 2 else []
    return [row.part, row.asked, *map(format_cell, row.figures), *apart]


def build_audit_rows(names: Sequence[str], rows: Sequence[AuditRow]) -> list[dict[str, Any]]:
    """The rows as JSON has them."""
    return [
        {
            "about": row.part,
            "asked": row.asked,
            "figures": {
                name: build_figure_row(figure) if figure else None
                for name, figure in zip(names, row.figures, strict=True)
            },
            "apart": row.is_apart,
        }
        for row in rows
    ]


def _read_figure(row: _Recalled) -> Figure:
    return Figure(row.recall, row.low, row.high, row.n)


def _read(path: Path) -> dict[str, Any]:
    """What a JSON file holds; nothing where it holds something else, which whoever reads it next tells."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
