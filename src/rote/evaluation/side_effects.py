"""What else changed: facts near and far from those taught, before and after, against one budget. No torch.

Three rings: other facts about the subjects that were taught; other subjects of the relations that were taught; and
everything else, facts, text and tasks.
"""

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict

from rote.evaluation.differences import Figure, Values, compute_difference, compute_mean
from rote.evaluation.intervals import Z95
from rote.evaluation.summary import DIGITS
from rote.records import Record

Ring = Literal["same subject", "same relation", "other facts", "text"]
_FACT_RINGS: tuple[Ring, ...] = ("same subject", "same relation", "other facts")
Verdict = Literal["kept", "unclear", "lost"]


class RingRow(TypedDict):
    """One ring: accuracy (of `text`: nats per token) before and after, the change for the worse, and the verdict."""

    ring: str
    measure: str
    before: float
    after: float
    loss: float
    low: float
    high: float
    n: int
    budget: float
    verdict: Verdict


@dataclass(frozen=True)
class Taught:
    """What the table is about."""

    subjects: Collection[str]
    relations: Collection[str]

    def find_ring(self, record: Record) -> Ring:
        """The ring a known fact is in."""
        if record.subject in self.subjects:
            return "same subject"
        return "same relation" if record.relation in self.relations else "other facts"


def compute_rings(records: Iterable[Record], taught: Taught, *, budget: float) -> list[RingRow]:
    """A row for each ring that was asked about, from the known facts at the first and the last moment.

    A loss is kept when its whole interval is within the budget, lost when its whole interval is beyond.
    """
    known = [record for record in records if record.fact_set == "known"]
    moments = list(dict.fromkeys(record.moment for record in known))
    rows = []
    for ring in _FACT_RINGS:
        members = [record for record in known if taught.find_ring(record) == ring]
        before, after = (_collect(members, moment) for moment in (moments[:1], moments[-1:]))
        if before and after:
            loss = compute_difference(before, after)
            means = (compute_mean(before).mean, compute_mean(after).mean)
            rows.append(_build_row(ring, "generation_accuracy", means, loss, budget))
    return rows


def compute_text_row(before: Sequence[float], after: Sequence[float], *, budget: float) -> RingRow:
    """The ring of text, from the nats per token of each passage before and after; passages are the clusters."""
    changes = [second - first for first, second in zip(before, after, strict=True)]
    count, mean = len(changes), math.fsum(changes) / len(changes)
    spread = math.sqrt(math.fsum((change - mean) ** 2 for change in changes) / max(1, count - 1) / count)
    loss = Figure(mean, mean - Z95 * spread, mean + Z95 * spread, count)
    return _build_row("text", "nats_per_token", (math.fsum(before) / count, math.fsum(after) / count), loss, budget)


def compute_task_row(name: str, metric: str, values: tuple[Values, Values], *, budget: float) -> RingRow:
    """A ring of one task of lm-evaluation-harness, from a metric of each question before and after."""
    before, after = values
    loss = compute_difference(before, after)
    means = (compute_mean(before).mean, compute_mean(after).mean)
    return _build_row(f"lm-eval: {name}", metric, means, loss, budget)


def judge(loss: Figure, budget: float) -> Verdict:
    """Whether a loss is within the budget, beyond it, or not known well enough to say."""
    if loss.high <= budget:
        return "kept"
    return "lost" if loss.low > budget else "unclear"


def _collect(records: Sequence[Record], moments: Sequence[str]) -> Values:
    """By fact: held-out prompts, as training prompts may be among what is retained; those where it has no others."""
    values: dict[str, Values] = {"training": {}, "held_out": {}}
    for record in records:
        if record.moment in moments and record.prompt_set in values:
            by_fact = values[record.prompt_set]
            by_fact.setdefault((record.relation, record.subject), []).append(float(record.correct))
    return {**values["training"], **values["held_out"]}


def _build_row(ring: str, measure: str, means: tuple[float, float], loss: Figure, budget: float) -> RingRow:
    return RingRow(
        ring=ring,
        measure=measure,
        before=round(means[0], DIGITS),
        after=round(means[1], DIGITS),
        loss=round(loss.value, DIGITS),
        low=round(loss.low, DIGITS),
        high=round(loss.high, DIGITS),
        n=loss.n,
        budget=budget,
        verdict=judge(loss, budget),
    )
