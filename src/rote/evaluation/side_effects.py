"""What else changed: facts near and far from those taught, before and after, against one budget. No torch.

Three rings (the field measures them as locality): other facts about the subjects that were taught; other subjects of
the relations that were taught; and everything else, facts, text (as perplexity does) and tasks.

Forgetting is counted on what was known: over all questions, guesses that turn right would hide what was lost.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict

from rote.evaluation.statistics import Values, compute_average, compute_difference, compute_mean
from rote.figures import DIGITS, Figure, FigureRow, build_figure_row, judge
from rote.records import Record

Ring = Literal["same subject", "same relation", "other facts"]
_RINGS: tuple[Ring, ...] = ("same subject", "same relation", "other facts")
Verdict = Literal["kept", "unclear", "lost"]
_VERDICTS: dict[str, Verdict] = {"holds": "kept", "open": "unclear", "does not hold": "lost"}
FEW_FACTS = 50
"""With fewer known facts in a ring its row says that they are few."""

_Fact = tuple[str, str]
_Asked = Mapping[tuple[str, str, str], bool]
"""Whether each question (prompt set, language, prompt) about a fact was answered right."""


class LossRow(TypedDict):
    """What all rows of `side_effects.json` share: a change for the worse with its interval, judged by the budget."""

    ring: str
    measure: str
    loss: float
    low: float
    high: float
    n: int
    budget: float
    verdict: Verdict


class RingRow(LossRow):
    """A ring of facts: of `n` questions that were answered right before, the share that no longer is.

    Without a known fact `n` is 0 and the loss may be anything from 0 to 1.
    """

    known: int
    """How many facts these questions are about."""
    few: bool
    """Whether these are too few for a verdict to lean on."""
    won: FigureRow | None
    """Of the questions that were answered wrong before, the share that is right after; None where there are none."""


class ChangeRow(LossRow):
    """Text, or a task: the mean before and after, on the measure's own scale; `loss` is the change for the worse."""

    before: float
    after: float


@dataclass(frozen=True)
class Taught:
    """What the table is about."""

    subjects: Collection[str]
    relations: Collection[str]

    def find_ring(self, relation: str, subject: str) -> Ring:
        """The ring a known fact is in."""
        if subject in self.subjects:
            return "same subject"
        return "same relation" if relation in self.relations else "other facts"


def compute_rings(records: Iterable[Record], taught: Taught, *, budget: float) -> list[RingRow]:
    """A row for each ring that was asked about, from the known facts at the first and the last moment.

    A loss is kept when its whole interval is within the budget, lost when its whole interval is beyond.
    """
    asked = [record for record in records if record.fact_set == "known"]
    moments = list(dict.fromkeys(record.moment for record in asked))
    if len(moments) < 2:
        return []
    before, after = (_collect(asked, moment) for moment in (moments[0], moments[-1]))
    rows = []
    for ring in _RINGS:
        facts = [fact for fact in before if fact in after and taught.find_ring(*fact) == ring]
        if facts:
            rows.append(_build_ring(ring, {fact: (before[fact], after[fact]) for fact in facts}, budget))
    return rows


@dataclass(frozen=True)
class Loss:
    """One question about a known fact that was answered right before and no longer is."""

    ring: Ring
    before: Record
    after: Record


def find_losses(records: Sequence[Record], taught: Taught) -> list[Loss]:
    """The questions that the shares of `compute_rings` count as lost, ring by ring."""
    asked = [record for record in records if record.fact_set == "known"]
    moments = list(dict.fromkeys(record.moment for record in asked))
    if len(moments) < 2:
        return []
    before, after = (_collect(asked, moment) for moment in (moments[0], moments[-1]))
    found = {(record.moment, *_name_fact(record), *_name_question(record)): record for record in asked}
    losses = [
        Loss(taught.find_ring(*fact), *(found[moment, *fact, *question] for moment in (moments[0], moments[-1])))
        for fact in before
        if fact in after and _is_known(before[fact])
        for question in _pick_questions(before[fact], after[fact])
        if before[fact][question] and not after[fact][question]
    ]
    return sorted(losses, key=lambda loss: _RINGS.index(loss.ring))


def compute_text_row(before: Sequence[float], after: Sequence[float], *, budget: float) -> ChangeRow:
    """The ring of text, from the nats per token of each passage before and after; passages are the clusters."""
    first, second = ({number: [value] for number, value in enumerate(found)} for found in (before, after))
    loss = compute_difference(second, first, shares=False)
    return _build_change("text", "nats_per_token", (first, second), loss, budget)


def compute_task_row(name: str, metric: str, values: tuple[Values, Values], *, budget: float) -> ChangeRow:
    """A ring of one task of lm-evaluation-harness, from a metric of each question before and after.

    The metric keeps its scale, and the budget is meant on it; one that leaves [0, 1] is no share and is not bounded.
    """
    shares = all(0 <= value <= 1 for side in values for found in side.values() for value in found)
    return _build_change(f"lm-eval: {name}", metric, values, compute_difference(*values, shares=shares), budget)


def _collect(records: Sequence[Record], moment: str) -> dict[_Fact, dict[tuple[str, str, str], bool]]:
    """What was answered right at a moment, by fact and question."""
    found: dict[_Fact, dict[tuple[str, str, str], bool]] = {}
    for record in records:
        if record.moment == moment and record.prompt_set in ("training", "held_out"):
            found.setdefault(_name_fact(record), {})[_name_question(record)] = record.correct
    return found


def _name_fact(record: Record) -> _Fact:
    return record.relation, record.subject


def _name_question(record: Record) -> tuple[str, str, str]:
    return record.prompt_set, record.language, record.prompt


def _build_ring(ring: Ring, answers: Mapping[_Fact, tuple[_Asked, _Asked]], budget: float) -> RingRow:
    lost: Values = {}
    won: Values = {}
    for fact, (before, after) in answers.items():
        for question in _pick_questions(before, after):
            if not before[question]:
                won.setdefault(fact, []).append(float(after[question]))
            elif _is_known(before):
                lost.setdefault(fact, []).append(float(not after[question]))
    loss = compute_mean(lost) if lost else Figure(0.0, 0.0, 1.0, 0)
    return {
        **_build_loss(ring, "generation_accuracy", loss, budget),
        "known": len(lost),
        "few": len(lost) < FEW_FACTS,
        "won": build_figure_row(compute_mean(won)) if won else None,
    }


def _is_known(before: _Asked) -> bool:
    """Whether a fact was answered right in its training prompts: a question that is right by luck (and likely wrong
    the next time, whatever is taught) has then to be lucky twice, in two wordings."""
    return all(right for (prompt_set, _, _), right in before.items() if prompt_set == "training")


def _pick_questions(before: _Asked, after: _Asked) -> Iterator[tuple[str, str, str]]:
    """Held-out prompts, as training prompts may be among what is retained; those where a fact has no others."""
    both = [question for question in before if question in after]
    held_out = [question for question in both if question[0] == "held_out"]
    yield from held_out or both


def _build_change(ring: str, measure: str, values: tuple[Values, Values], loss: Figure, budget: float) -> ChangeRow:
    before, after = (round(compute_average(side), DIGITS) for side in values)
    return {**_build_loss(ring, measure, loss, budget), "before": before, "after": after}


def _build_loss(ring: str, measure: str, loss: Figure, budget: float) -> LossRow:
    row = build_figure_row(loss)
    return {
        "ring": ring,
        "measure": measure,
        "loss": row["mean"],
        "low": row["low"],
        "high": row["high"],
        "n": row["n"],
        "budget": budget,
        "verdict": _VERDICTS[judge(loss, at_most=budget)],
    }
