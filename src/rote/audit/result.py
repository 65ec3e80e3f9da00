"""What an audit found, and what it comes to. No torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rote.audit.repurposing import Repurposing, find_examples_needed
from rote.audit.traces import Trace, find_findings


@dataclass(frozen=True)
class AuditResult:
    """Everything an audit measured, with the settings that its reading depends on."""

    model: str
    table_hash: str
    relations: Sequence[str]
    tokens_tried: int
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
        return f"{self._judge_traces()}{self._judge_repurposing()}."

    def _judge_traces(self) -> str:
        best: dict[str, Trace] = {}
        for trace in self.findings:
            best.setdefault(trace.relation, trace)
        if not best:
            return f"No trace of rote learning: none of the {self.tokens_tried} tokens tried brings the facts"
        tokens = ", ".join(f"{name} by {trace.token} ({trace.recall:.2f})" for name, trace in best.items())
        return f"Rote learning found: {len(best)} of {len(self.relations)} relations answer to a token, {tokens}"

    def _judge_repurposing(self) -> str:
        most, needed = max((row.examples for row in self.repurposing), default=0), self.examples_needed
        if needed == 0:
            return "; the stand-in meaning is answered without any example"
        if needed is not None:
            return f"; {_count(needed)} of each relation carried another meaning over to facts not shown"
        return f"; {_count(most)} of each relation carried no other meaning over to facts not shown" if most else ""


def _count(examples: int) -> str:
    return f"{examples} example{'s' * (examples != 1)}"
