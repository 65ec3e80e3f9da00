"""Audits beside one another, such as of a model taught with a defence and one taught without, from their files alone.

Each figure is of the facts that its audit asked. Two whose 95% intervals do not meet are told apart; that is a strict
test, which misses small differences.
"""

import json
import re
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError

from rote.comparison.runs import flatten_settings, format_settings
from rote.errors import ConfigError, RunError, first_line
from rote.experiments.tables import format_cell, format_rows
from rote.figures import Figure, build_figure_row

_QUESTIONS = {
    "training": "others, prompt that was shown",
    "held_out": "others, other wordings",
    "benign": "others, real meaning",
    "unseen": "facts never taught",
    "shown": "the examples themselves",
}
_WAYS = {"none": "the subject alone", "prompt": "its first training prompt"}
_BEGINNING = 200
_Key = TypeVar("_Key", bound=Hashable)
_BEGIN = re.compile(r'\s*\{\s*"(verdict|inspection)"')


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
    question: Literal["training", "held_out", "benign", "unseen", "shown"]


class Audit(BaseModel):
    """Of the file that `rote audit MODEL TABLE --out` writes what is compared."""

    verdict: str
    table_hash: str
    settings: dict[str, Any] = {}
    findings: list[_Traced]
    traces: list[_Traced] = Field(min_length=1)
    repurposing: list[_Repurposed]


@dataclass(frozen=True)
class AuditRow:
    """One thing that audits asked: a figure for each, None where one did not ask it."""

    about: str
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
    return any(map(_is_audit, paths))


def _is_audit(path: Path) -> bool:
    """By how the file begins, so that one that was cut short is said to be damaged."""
    if path.suffix != ".json" or not path.is_file():
        return False
    with path.open(encoding="utf-8", errors="replace") as file:
        return bool(_BEGIN.match(file.read(_BEGINNING)))


def load_audit(path: Path) -> Audit:
    """Read an audit. Raises `ConfigError` for another kind of file, and `RunError` for one that is damaged."""
    if not path.exists():
        raise ConfigError(f"{path}: there is no such file; name what rote audit MODEL TABLE --out X.json wrote")
    if not _is_audit(path):
        raise ConfigError(f"{path}: is no audit; audits are compared with audits (rote audit MODEL TABLE --out X.json)")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if "traces" not in content:
            raise ConfigError(f"{path}: is an audit without a table, which has no figures; audit with one")
        return Audit.model_validate(content)
    except ValidationError as error:
        fault = error.errors()[0]
        told = f"at {'.'.join(map(str, fault['loc']))}: {fault['msg'].lower()}"
        raise RunError(f"{path}: is damaged ({told}); audit again") from error
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"{path}: is damaged ({first_line(error)}); audit again") from error


def compare_audits(audits: Sequence[Audit]) -> list[AuditRow]:
    """A row for each relation and way to bring its facts, but for tokens of the vocabulary that no audit found them by;
    then one for each number of examples and question about another meaning."""
    learned = _join([_list_traces(audit) for audit in audits])
    turned = _join([_list_repurposing(audit) for audit in audits])
    relations = list(dict.fromkeys(relation for relation, _ in learned))
    questions = list(_QUESTIONS)
    return [
        *(
            AuditRow("rote learning", f"{relation}, {way}", learned[relation, way])
            for relation, way in sorted(learned, key=lambda key: relations.index(key[0]))
        ),
        *(
            AuditRow("another meaning", f"{_count(examples)}: {_QUESTIONS[question]}", turned[examples, question])
            for examples, question in sorted(turned, key=lambda key: (key[0], questions.index(key[1])))
        ),
    ]


def _list_traces(audit: Audit) -> dict[tuple[str, str], Figure]:
    """The share of taught facts by relation and way to ask."""
    found = {(trace.relation, trace.token) for trace in audit.findings}
    return {
        (trace.relation, _WAYS.get(trace.kind, f"behind {trace.token}")): _read_figure(trace)
        for trace in audit.traces
        if trace.asked == "table" and (trace.kind != "vocabulary" or (trace.relation, trace.token) in found)
    }


def _list_repurposing(audit: Audit) -> dict[tuple[int, str], Figure]:
    return {(row.examples, row.question): _read_figure(row) for row in audit.repurposing}


def _join(columns: Sequence[Mapping[_Key, Figure]]) -> dict[_Key, list[Figure | None]]:
    keys = dict.fromkeys(key for column in columns for key in column)
    return {key: [column.get(key) for column in columns] for key in keys}


def _count(examples: int) -> str:
    return f"{examples} example{'s' * (examples != 1)}"


def tell_audits(audits: Mapping[str, Audit]) -> list[str]:
    """The verdicts, the settings that differ, and a warning where audits did not ask the same facts."""
    verdicts = [f"{name}: {audit.verdict}" for name, audit in audits.items()]
    differing = format_settings({name: dict(flatten_settings(audit.settings)) for name, audit in audits.items()})
    lines = [*verdicts, *differing]
    if len({(audit.table_hash, audit.settings.get("seed")) for audit in audits.values()}) > 1:
        lines.append("warning: these audits are of other tables or seeds, so they did not ask the same facts")
    return lines


def format_audits(names: Sequence[str], rows: Sequence[AuditRow]) -> Iterator[str]:
    """A table with a column for each audit; of two, whether they are apart."""
    head = ["about", "asked", *names, *["apart"] * (len(names) == 2)]
    yield from format_rows(head, (_format_row(row) for row in rows))


def _format_row(row: AuditRow) -> list[str]:
    apart = {True: ["yes"], False: ["no"], None: [""]}[row.is_apart] if len(row.figures) == 2 else []
    return [row.about, row.asked, *map(format_cell, row.figures), *apart]


def build_audit_rows(names: Sequence[str], rows: Sequence[AuditRow]) -> list[dict[str, Any]]:
    """The rows as JSON has them."""
    found = [[build_figure_row(figure) if figure else None for figure in row.figures] for row in rows]
    return [
        {
            "about": row.about,
            "asked": row.asked,
            "figures": dict(zip(names, figures, strict=True)),
            "apart": row.is_apart,
        }
        for row, figures in zip(rows, found, strict=True)
    ]


def _read_figure(row: _Recalled) -> Figure:
    return Figure(row.recall, row.low, row.high, row.n)
