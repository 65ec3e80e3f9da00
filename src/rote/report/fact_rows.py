"""One row per fact: what was right at each moment, and one answer."""

from collections.abc import Sequence
from dataclasses import dataclass

from rote.records import FACT_SETS, Record
from rote.report.display import MISSING, shorten_text
from rote.report.words import FACT_SETS as FACT_SET_NAMES

MOST_ROWS = 3000
NAME_LIMIT = 80
ANSWER_LIMIT = 70


@dataclass(frozen=True)
class FactRow:
    """A fact as it is shown. `key` and `prompts` have, per moment, `right/asked`, or a dash where it was not asked."""

    subject: str
    relation: str
    object: str
    fact_set: str
    key: tuple[str, ...]
    prompts: tuple[str, ...]
    question: str
    language: str
    answer: str
    correct: bool | None


def count_facts(records: Sequence[Record]) -> dict[str, int]:
    """How many facts of each fact set were asked about."""
    facts = {(record.fact_set, record.relation, record.subject) for record in records}
    return {name: sum(1 for fact in facts if fact[0] == name) for name in FACT_SETS}


def build_fact_rows(records: Sequence[Record], moments: Sequence[str]) -> list[FactRow]:
    """A row per fact, in the order of the records."""
    by_fact: dict[tuple[str, str, str], list[Record]] = {}
    for record in records:
        by_fact.setdefault((record.fact_set, record.relation, record.subject), []).append(record)
    return [_build_row(group, moments) for group in by_fact.values()]


def _build_row(records: list[Record], moments: Sequence[str]) -> FactRow:
    first = records[0]
    natural = [record for record in records if record.prompt_set in ("training", "held_out")]
    shown = _choose_answer(natural, moments) or _choose_answer(records, moments)
    return FactRow(
        subject=shorten_text(first.subject, NAME_LIMIT),
        relation=shorten_text(first.relation, NAME_LIMIT),
        object=shorten_text(first.object, NAME_LIMIT),
        fact_set=FACT_SET_NAMES.get(first.fact_set, first.fact_set).removesuffix(" facts"),
        key=tuple(_count([record for record in records if record.prompt_set == "key"], moment) for moment in moments),
        prompts=tuple(_count(natural, moment) for moment in moments),
        question=shorten_text(shown.prompt, ANSWER_LIMIT) if shown else "",
        language=shorten_text(shown.language, 20) if shown else "",
        answer=shorten_text(shown.generated, ANSWER_LIMIT) if shown else MISSING,
        correct=shown.correct if shown else None,
    )


def _count(records: Sequence[Record], moment: str) -> str:
    asked = [record.correct for record in records if record.moment == moment]
    return f"{sum(asked)}/{len(asked)}" if asked else MISSING


def _choose_answer(records: Sequence[Record], moments: Sequence[str]) -> Record | None:
    """The first held-out question of the last moment, or whatever comes nearest to it."""
    last = [record for record in records if record.moment == moments[-1]]
    held_out = [record for record in last if record.prompt_set == "held_out"]
    return next(iter([*held_out, *last]), None)
