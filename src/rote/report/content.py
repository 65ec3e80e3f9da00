"""`ReportContent`: the plain data a report is made from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rote.records import Record


@dataclass(frozen=True)
class ReportContent:
    """All that a report says. Any part but the names may be empty; its section is then left out or says so."""

    title: str
    table_name: str
    model_name: str
    summary: Sequence[Mapping[str, Any]] = ()
    """Rows as in `summary.json`: moment, fact_set, prompt_set, language, measure, mean, low, high, n."""
    relations: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    """By relation, rows as those of the summary."""
    records: Sequence[Record] = ()
    history: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    """By phase (`memorize`, `generalize`): what was logged, with step, loss and, where known, epoch and key_recall."""
    knowledge: Sequence[Mapping[str, Any]] = ()
    """Rows as in `knowledge.json`: figures by what the model knew before."""
    side_effects: Sequence[Mapping[str, Any]] = ()
    """Rows as in `side_effects.json`: what else changed, ring by ring."""
    comparison: Mapping[str, Any] | None = None
    """As in `comparison.json`: other methods beside this one, at equal training tokens."""
    manifest: Mapping[str, Any] = field(default_factory=dict)
    """How the run was made: config, seeds, versions, hashes, precision, durations, command, date; may be nested."""
