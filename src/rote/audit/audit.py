"""Auditing a model that need not have been trained here: traces of rote learning, and a new meaning for its facts.

The model's folder is only read.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rote.audit.inspection import Inspection
from rote.audit.plan import build_audit_plan
from rote.audit.repurposing import (
    Repurposing,
    find_examples_needed,
    find_stand_ins,
    judge_repurposing,
    measure_repurposing,
)
from rote.audit.traces import Trace, find_findings, find_traces
from rote.config.audit import AuditConfig
from rote.facts.fact import FactTable
from rote.figures import judge
from rote.models.loading import SAFE, LoadOptions, load_model
from rote.runs.files import replace_file
from rote.runs.reporting import Reporter


@dataclass(frozen=True)
class AuditResult:
    """Everything an audit measured, with the settings that its reading depends on."""

    model: str
    table_hash: str
    relations: Sequence[str]
    tokens_tried: int
    screened: Mapping[str, int]
    """Relation -> how many of its facts chose the tokens; the traces are of others."""
    traces: Sequence[Trace]
    stand_ins: Mapping[str, str]
    """Relation -> the prompt its facts were shown in."""
    repurposing: Sequence[Repurposing]
    answered: float
    """The share of facts that must be answered for their meaning to count as changed."""

    @property
    def findings(self) -> list[Trace]:
        """The traces that show rote learning, best first."""
        return find_findings(self.traces)

    @property
    def examples_needed(self) -> int | None:
        """How few examples gave facts that were not shown another meaning; None where none did."""
        return find_examples_needed(self.repurposing, self.answered)

    @property
    def verdict(self) -> str:
        """All of it in one sentence."""
        return f"{self._tell_traces()}{self._tell_repurposing()}."

    def _tell_traces(self) -> str:
        best: dict[str, Trace] = {}
        for trace in self.findings:
            best.setdefault(trace.relation, trace)
        if not best:
            return f"No trace of rote learning: none of the {self.tokens_tried} tokens tried brings the facts"
        tokens = ", ".join(f"{name} by {trace.token} ({trace.recall.value:.2f})" for name, trace in best.items())
        return (
            f"Rote learning found: {len(best)} of {len(self.relations)} relations answer to one of the "
            f"{self.tokens_tried} tokens tried, {tokens}"
        )

    def _tell_repurposing(self) -> str:
        most = max((row.examples for row in self.repurposing), default=0)
        if not most:
            return ""
        count = self.examples_needed or most
        shown = {row.examples: row.recall for row in self.repurposing if row.question == "training"}
        figures = f"{shown[count].value:.2f} of them answered, {shown[0].value:.2f} without any example"
        examples = f"{count} example{'s' * (count != 1)} of each relation"
        if self.examples_needed:
            return f"; {examples} carried another meaning over to facts not shown ({figures})"
        if judge(shown[0], at_least=self.answered) == "holds":
            return f"; the other meaning is answered without any example, and {examples} brought no more ({figures})"
        if judge_repurposing(self.repurposing, most, self.answered) == "open":
            return f"; whether {examples} carried another meaning over to facts not shown is open ({figures})"
        return f"; up to {examples} carried no other meaning over to facts not shown ({figures})"


def audit_model(
    model: str, table: FactTable, *, config: AuditConfig, reporter: Reporter, loading: LoadOptions = SAFE
) -> AuditResult:
    """Look for traces of a table in a model, and measure how few examples give its facts another meaning.

    Raises `TableError` for a relation with too few facts, and the errors of `check_table` and `load_model`.
    """
    plan = build_audit_plan(table, config)
    stand_ins = find_stand_ins(table, plan.relations)
    language_model = load_model(model, loading)
    tried, traces = find_traces(language_model, plan, config=config, reporter=reporter)
    repurposing = measure_repurposing(language_model, plan, stand_ins, config=config, reporter=reporter)
    return AuditResult(
        model=model,
        table_hash=table.content_hash,
        relations=table.relations,
        tokens_tried=tried,
        screened={name: len(facts) for name, facts in plan.screened.items()},
        traces=traces,
        stand_ins={name: relation.select_training(1)[0].text for name, relation in stand_ins.items()},
        repurposing=repurposing,
        answered=config.answered,
    )


def build_content(result: AuditResult | None, inspection: Inspection | None = None) -> dict[str, Any]:
    """Everything that was found, as JSON has it; `docs/audit.md` explains its keys."""
    content = _flatten_result(result) if result else {}
    if inspection:
        content["inspection"] = {"verdict": inspection.verdict, **asdict(inspection)}
    return content


def save_audit(result: AuditResult | None, path: Path, *, inspection: Inspection | None = None) -> None:
    """Write everything that was found as JSON, in place of what is there."""
    content = build_content(result, inspection)
    with replace_file(path) as draft:
        draft.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _flatten_result(result: AuditResult) -> dict[str, Any]:
    return {
        "verdict": result.verdict,
        "examples_needed": result.examples_needed,
        "findings": [_flatten_trace(trace) for trace in result.findings],
        **vars(result),
        "traces": [_flatten_trace(trace) for trace in result.traces],
        "repurposing": [_flatten_repurposing(row) for row in result.repurposing],
    }


def _flatten_trace(trace: Trace) -> dict[str, Any]:
    found = trace.recall
    row = {"relation": trace.relation, "token": trace.token, "kind": trace.kind, "asked": trace.asked}
    return {**row, "recall": found.value, "low": found.low, "high": found.high, "n": found.n}


def _flatten_repurposing(row: Repurposing) -> dict[str, Any]:
    found, gain = row.recall, row.gain
    content: dict[str, Any] = {"examples": row.examples, "question": row.question}
    content |= {"recall": found.value, "low": found.low, "high": found.high, "n": found.n}
    ends = (gain.value, gain.low, gain.high) if gain else (None, None, None)
    return content | dict(zip(("gain", "gain_low", "gain_high"), ends, strict=True))
