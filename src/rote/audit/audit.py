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
    judge_all_repurposing,
    measure_repurposing,
)
from rote.audit.traces import Trace, find_findings, find_masked, find_traces
from rote.config.audit import AuditConfig
from rote.config.sizes import fit_audit
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
    facts: Mapping[str, int]
    """Relation -> how many facts of it the table has; half of them are never shown."""
    settings: AuditConfig
    """As they were used, with what fits the model's size in the place of what was left open."""

    @property
    def answered(self) -> float:
        """The share of facts that must be answered for their meaning to count as changed."""
        return self.settings.answered

    @property
    def left_out(self) -> list[int]:
        """Numbers of examples that were wanted, and that no relation has in the half that may be shown."""
        return sorted({*self.settings.examples} - {0, *(row.examples for row in self.repurposing)})

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
            return self._tell_no_trace()
        tokens = ", ".join(f"{name} by {trace.token} ({trace.recall.value:.2f})" for name, trace in best.items())
        return (
            f"Rote learning found: {len(best)} of {len(self.relations)} relations answer to one of the "
            f"{self.tokens_tried} tokens tried, {tokens}"
        )

    def _tell_no_trace(self) -> str:
        tried = f"the {self.tokens_tried} tokens tried"
        masked = find_masked(self.traces)
        if not masked:
            return f"No trace of rote learning: none of {tried} brings the facts more often than the comparisons do"
        best = {trace.relation: (trace, prompt) for trace, prompt in reversed(masked)}
        told = ", ".join(
            f"{name} {trace.recall.value:.2f} at best and {prompt.recall.value:.2f} by a plain question"
            for name, (trace, prompt) in best.items()
        )
        count = len({trace.token for trace, _ in masked})
        return (
            f"Rote learning cannot be told: {count} of {tried} bring{'s' * (count == 1)} facts that the model answers "
            f"in plain words too ({told})"
        )

    def _tell_repurposing(self) -> str:
        recall = {(row.examples, row.question): row.recall for row in self.repurposing}
        tried = sorted({row.examples for row in self.repurposing} - {0})
        if not tried:
            return ""
        count = self.examples_needed or max(tried, key=lambda number: recall[number, "training"].value)
        asked, without = recall[count, "training"], recall[0, "training"]
        if self.examples_needed:
            figures = f"{asked.value:.2f} of them answered, {without.value:.2f} without any example"
            return f"; {self._tell_examples(count)} carried another meaning over to facts not shown ({figures})"
        at = f" after {count}" * (len(tried) > 1)
        figures = f"{asked.value:.2f} of them answered{at}, {without.value:.2f} without any example"
        examples = f"{'up to ' * (len(tried) > 1)}{self._tell_examples(tried[-1])}"
        if judge(without, at_least=self.answered) == "holds":
            told = "the other meaning is answered without any example"
            return f"; {told}, and {examples} brought not clearly more ({figures})"
        shown = recall.get((count, "shown"))
        if shown and shown.value < self.answered:
            told = f"the examples themselves are not learned ({shown.value:.2f} of them answered)"
            return f"; after {examples} {told}, which says nothing of facts not shown"
        if judge_all_repurposing(self.repurposing, self.answered) == "open":
            return f"; whether {examples} carried another meaning over to facts not shown is open ({figures})"
        return f"; {examples} carried no other meaning over to facts not shown ({figures})"

    def _tell_examples(self, count: int) -> str:
        """How many were shown, and of which relations fewer."""
        fewer = [f"{name} {facts // 2}" for name, facts in self.facts.items() if facts // 2 < count]
        told = f" ({', '.join(fewer)})" if fewer else ""
        return f"{count} example{'s' * (count != 1)} of each relation{told}"


def audit_model(
    model: str, table: FactTable, *, config: AuditConfig, reporter: Reporter, loading: LoadOptions = SAFE
) -> AuditResult:
    """Look for traces of a table in a model, and measure how few examples give its facts another meaning.

    Raises `TableError` for a relation with too few facts, and the errors of `check_table` and `load_model`.
    """
    plan = build_audit_plan(table, config)
    stand_ins = find_stand_ins(table, plan.relations)
    language_model = load_model(model, loading)
    config = fit_audit(config, sum(parameter.numel() for parameter in language_model.model.parameters()))
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
        facts={name: len(table.select(name)) for name in table.relations},
        settings=config,
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
        "answered": result.answered,
        "settings": result.settings.model_dump(),
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
