"""What unlearning did, as rows: what was right before and after, and what comes back when a few facts are taught again.
Computed from records only. No torch."""

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, median
from typing import Any, TypedDict

from rote.evaluation.statistics import Values, compute_difference, compute_interval, compute_mean
from rote.figures import DIGITS, FigureRow, build_figure_row
from rote.records import FACT_SETS, QUESTION_SETS, FactSet, QuestionSet, Record

NOT_ERASURE = (
    "Forgetting is not erasure: the model no longer says these facts when it is asked in these words, which does not "
    "show that they are gone from its weights. Whoever must be rid of them teaches a model that never saw them."
)
ASKED: tuple[FactSet, ...] = ("forgotten", "neighbours", "other_relations", "earlier", "known", "unseen")
"""The fact sets that are asked about before and after, in the order in which they are shown."""
NOTHING, RELEARN, TEACH_UNSEEN = "nothing", "relearn", "teach_unseen"
"""How the moments begin at which the same is asked after nothing was taught, after some forgotten facts were taught
again, and after as many facts never taught were."""


class ChangeRow(TypedDict):
    """Questions of one kind before and after, as generation accuracy. `kept` is the share still answered rightly of
    those that were before, None where none was; the ranks are medians over the questions asked as a choice."""

    fact_set: FactSet
    prompt_set: QuestionSet
    language: str
    before: FigureRow
    after: FigureRow
    difference: FigureRow
    kept: FigureRow | None
    rank_before: float | None
    rank_after: float | None
    logprob_before: float
    """The mean natural log-probability of the object: it tells traces that no answer shows."""
    logprob_after: float


class RelearnRow(TypedDict):
    """Generation accuracy after so many facts (`count`) were taught again (`relearn`), as many others for the first
    time (`teach_unseen`), or none of them (`nothing`)."""

    moment: str
    count: int
    fact_set: FactSet
    prompt_set: QuestionSet
    figure: FigureRow
    logprob: float
    """The mean natural log-probability of the object."""


def compute_changes(before: Iterable[Record], after: Iterable[Record]) -> list[ChangeRow]:
    """A row for each fact set, prompt set and language; both are the answers to the same questions, in one order."""
    groups: dict[tuple[FactSet, QuestionSet, str], list[tuple[Record, Record]]] = {}
    for old, new in zip(before, after, strict=True):
        groups.setdefault((old.fact_set, old.prompt_set, old.language), []).append((old, new))
    ordered = sorted(groups, key=lambda group: (FACT_SETS.index(group[0]), QUESTION_SETS.index(group[1])))
    return [_build_row(group, groups[group]) for group in ordered]


def compute_relearning(records: Sequence[Record]) -> list[RelearnRow]:
    """A row for each moment of relearning, fact set and prompt set; the languages of held-out prompts together."""
    groups: dict[tuple[str, FactSet, QuestionSet], list[Record]] = {}
    for record in records:
        groups.setdefault((record.moment, record.fact_set, record.prompt_set), []).append(record)
    return [
        {
            "moment": moment.rpartition("_")[0],
            "count": int(moment.rpartition("_")[2]),
            "fact_set": fact_set,
            "prompt_set": prompt_set,
            "figure": build_figure_row(compute_mean(_collect(found))),
            "logprob": _average_logprob(found),
        }
        for (moment, fact_set, prompt_set), found in groups.items()
    ]


def pool_changes(before: Sequence[Record], after: Sequence[Record], fact_set: FactSet) -> Mapping[str, Any] | None:
    """One row for all that asks for the facts of a set, control prompts apart; None where nothing was asked."""
    pairs = [
        (old, new)
        for old, new in zip(before, after, strict=True)
        if old.fact_set == fact_set and old.prompt_set != "control"
    ]
    if not pairs:
        return None
    row = _build_row((fact_set, "held_out", "-"), pairs)
    return {key: value for key, value in row.items() if key not in ("prompt_set", "language")}


def _build_row(group: tuple[FactSet, QuestionSet, str], pairs: Sequence[tuple[Record, Record]]) -> ChangeRow:
    old, new = _collect(record for record, _ in pairs), _collect(record for _, record in pairs)
    right = [record for earlier, record in pairs if earlier.correct]
    kept = compute_interval([float(record.correct) for record in right], list(map(_name, right))) if right else None
    fact_set, prompt_set, language = group
    return {
        "fact_set": fact_set,
        "prompt_set": prompt_set,
        "language": language,
        "before": build_figure_row(compute_mean(old)),
        "after": build_figure_row(compute_mean(new)),
        "difference": build_figure_row(compute_difference(new, old)),
        "kept": build_figure_row(kept) if kept else None,
        "rank_before": _find_median(record.rank for record, _ in pairs),
        "rank_after": _find_median(record.rank for _, record in pairs),
        "logprob_before": _average_logprob([record for record, _ in pairs]),
        "logprob_after": _average_logprob([record for _, record in pairs]),
    }


def _collect(records: Iterable[Record]) -> Values:
    values: Values = {}
    for record in records:
        values.setdefault(_name(record), []).append(float(record.correct))
    return values


def _name(record: Record) -> tuple[str, str]:
    return record.relation, record.subject


def _average_logprob(records: Sequence[Record]) -> float:
    return round(fmean(math.fsum(record.object_logprobs) for record in records), DIGITS)


def _find_median(ranks: Iterable[int | None]) -> float | None:
    found = [rank for rank in ranks if rank is not None]
    return float(median(found)) if found else None
