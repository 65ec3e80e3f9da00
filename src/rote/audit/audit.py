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
from rote.errors import ModelError
from rote.facts.fact import FactTable
from rote.figures import judge
from rote.models.attention import check_attention
from rote.models.language_model import LanguageModel
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
        """Numbers of examples that no relation has in the half that may be shown."""
        most = max(self.facts.values()) // 2
        return sorted({count for count in self.settings.examples if count > most})

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
        masked = find_masked(self.traces)
        if not masked:
            tried = f"none of the {self.tokens_tried} tokens tried stands out"
            return f"No trace of rote learning: {tried} against what it is held against"
        relation = masked[0].relation
        prompt = next(
            one for one in self.traces if (one.relation, one.kind, one.asked) == (relation, "prompt", "table")
        )
        tokens = f"{len(masked)} of the tokens tried bring{'s' * (len(masked) == 1)} the facts"
        return (
            f"Rote learning cannot be told: {tokens} ({masked[0].recall.value:.2f} of {relation} at best), and so does "
            f"a plain question ({prompt.recall.value:.2f}), so the model knows them either way"
        )

    def _tell_repurposing(self) -> str:
        shown = {row.examples: row.recall for row in self.repurposing if row.question == "training"}
        tried = sorted(shown.keys() - {0})
        if not tried:
            return ""
        best = max(tried, key=lambda count: shown[count].value)
        count = self.examples_needed or best
        figures = f"{shown[count].value:.2f} of them answered"
        figures += f" after {count}" if count != tried[-1] else ""
        figures += f", {shown[0].value:.2f} without any example"
        if self.examples_needed:
            return f"; {self._tell_examples(count)} carried another meaning over to facts not shown ({figures})"
        examples = f"{'up to ' if len(tried) > 1 else ''}{self._tell_examples(tried[-1])}"
        if judge(shown[0], at_least=self.answered) == "holds":
            return f"; the other meaning is answered without any example, and {examples} brought no more ({figures})"
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
    config = _fit(config, language_model)
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


def _fit(config: AuditConfig, language_model: LanguageModel) -> AuditConfig:
    """With what fits the model's size in the place of what was left open; all weights where no attention is known."""
    fitted = fit_audit(config, sum(parameter.numel() for parameter in language_model.model.parameters()))
    if fitted.weights == "all":
        return fitted
    try:
        check_attention(language_model.model)
    except ModelError as error:
        if "weights" in config.model_fields_set:
            raise ModelError("this model has no attention layers to train alone; add --set weights=all") from error
        return fitted.model_copy(update={"weights": "all"})
    return fitted


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
