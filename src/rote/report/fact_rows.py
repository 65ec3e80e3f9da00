"""One row per fact: whether it is known now, what is said to each wording, and what to try where it is wrong."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TextIO

from rote.records import FACT_SETS, Record, order_moments
from rote.report.display import MISSING, clean_text
from rote.report.marks import TAUGHT, Mark, advise, find_marks
from rote.report.words import label_moment, label_prompts, shows_some

Verdict = Literal["right", "partly right", "wrong", "not asked"]

MOST_ROWS = 5000
"""So many rows a browser searches at once; a CSV file holds them all."""
_KINDS = {
    "generalize": "taught, shown in sentences",
    "held_out": "taught by rote alone",
    "known": "known before, not taught",
    "unseen": "taught by nobody",
    "replaced": "what a taught fact replaced",
    "earlier": "taught in an earlier table",
}
_KINDS_OTHERWISE = {**_KINDS, "generalize": "of the table", "held_out": "of the table"}
"""After another method than ours, which may show every fact in sentences, or teach none."""
_COLUMNS = ("subject", "relation", "object", "facts", "verdict", "flags", "right", "asked", "key_token", "answers")
_SIGNS, _CONTROL_SIGNS = ("wrong", "right"), ("no leak", "leak")
"""Of an answer without the object, and of one with it; where something else was asked it should not come."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

TaughtFact = tuple[str, str, str]
"""Relation, subject and object."""


@dataclass(frozen=True)
class Wording:
    """One question about a fact, and what was said to it last."""

    label: str
    prompt: str
    language: str
    answer: str
    correct: bool
    is_control: bool
    """Whether something else was asked, so that the fact's object is a leak."""
    right_before: str
    """The last moment at which it was right, in words; empty where it never was or still is."""


@dataclass(frozen=True)
class FactRow:
    """A fact as it is shown; all text is as it was recorded."""

    subject: str
    relation: str
    object: str
    kind: str
    is_taught: bool
    verdict: Verdict
    flags: tuple[Mark, ...]
    """`wrong`: taught, and not right in all wordings; `forgotten`: a question that was right is wrong now; `leaks`: the
    object is said though something else was asked."""
    right: int
    asked: int
    """Questions in words, of which so many are right."""
    key: str
    """The same by key token, as `1/1`; a dash where it was not asked."""
    wordings: tuple[Wording, ...]
    hint: str
    """What to try where it is wrong."""

    @property
    def shown(self) -> Wording | None:
        """The wording that says most: a wrong one in words, else the first."""
        asked = [item for item in self.wordings if not item.is_control]
        return next(iter([*(item for item in asked if not item.correct), *asked, *self.wordings]), None)


def count_facts(records: Sequence[Record]) -> dict[str, int]:
    """How many facts of each fact set were asked about."""
    facts = {(record.fact_set, record.relation, record.subject) for record in records}
    return {name: sum(1 for fact in facts if fact[0] == name) for name in FACT_SETS}


def build_fact_rows(records: Sequence[Record], taught: Sequence[TaughtFact] = ()) -> list[FactRow]:
    """A row per fact that was asked about, those taught first, then those of `taught` that were not asked about."""
    by_fact: dict[tuple[str, str, str], list[Record]] = {}
    for record in records:
        by_fact.setdefault((record.fact_set, record.relation, record.subject), []).append(record)
    moments = order_moments(record.moment for record in records)
    groups = sorted(by_fact.values(), key=lambda group: group[0].fact_set not in TAUGHT)
    asked = {(relation, subject) for _, relation, subject in by_fact}
    bare = [fact for fact in taught if fact[:2] not in asked]
    kinds = _KINDS if shows_some(moments) else _KINDS_OTHERWISE
    return [*(_build_row(group, moments, kinds) for group in groups), *map(_build_bare, bare)]


def list_wrong(rows: Iterable[FactRow]) -> list[FactRow]:
    """The taught facts that are not right in all wordings: first those that never are."""
    return sorted((row for row in rows if "wrong" in row.flags), key=lambda row: row.right / max(1, row.asked))


def save_fact_rows(rows: Iterable[FactRow], stream: TextIO) -> None:
    """Write rows as CSV. A cell that a spreadsheet would take for a formula begins with an apostrophe."""
    writer = csv.writer(stream)
    writer.writerow(_COLUMNS)
    for row in rows:
        texts = (row.subject, row.relation, row.object, row.kind, row.verdict, " ".join(row.flags))
        counts = (row.right, row.asked, "" if row.key == MISSING else row.key)
        answers = "\n".join(map(_write_wording, row.wordings))
        writer.writerow([*map(_defuse, texts), *counts, _defuse(answers)])


def _build_bare(fact: TaughtFact) -> FactRow:
    relation, subject, answer = fact
    return FactRow(subject, relation, answer, "taught", True, "not asked", (), 0, 0, MISSING, (), "")


def _build_row(records: list[Record], moments: Sequence[str], kinds: Mapping[str, str]) -> FactRow:
    first = records[0]
    last = [record for record in records if record.moment == moments[-1]]
    in_words = [record.correct for record in last if record.prompt_set not in ("key", "control")]
    by_key = [record.correct for record in last if record.prompt_set == "key"]
    wordings = tuple(_build_wording(record, records, moments) for record in last)
    verdict = _judge(in_words or by_key)
    return FactRow(
        subject=first.subject,
        relation=first.relation,
        object=first.object,
        kind=kinds.get(first.fact_set, first.fact_set),
        is_taught=first.fact_set in TAUGHT,
        verdict=verdict,
        flags=tuple(find_marks(records, moments)),
        right=sum(in_words),
        asked=len(in_words),
        key=f"{sum(by_key)}/{len(by_key)}" if by_key else MISSING,
        wordings=wordings,
        hint=advise(records, moments) if first.fact_set in TAUGHT and verdict in ("wrong", "partly right") else "",
    )


def _judge(correct: Sequence[bool]) -> Verdict:
    if not correct:
        return "not asked"
    return "right" if all(correct) else "partly right" if any(correct) else "wrong"


def _build_wording(record: Record, records: Sequence[Record], moments: Sequence[str]) -> Wording:
    asked = (record.prompt_set, record.language, record.prompt)
    same = [other for other in records if (other.prompt_set, other.language, other.prompt) == asked]
    right = [other.moment for other in same if other.correct and other.moment != record.moment]
    latest = max(right, key=moments.index, default="")
    return Wording(
        label=label_prompts(record.prompt_set, record.language),
        prompt=record.prompt,
        language=record.language,
        answer=record.generated.strip(),
        correct=record.correct,
        is_control=record.prompt_set == "control",
        right_before=label_moment(latest) if latest and not record.correct else "",
    )


def _write_wording(item: Wording) -> str:
    sign = _CONTROL_SIGNS[item.correct] if item.is_control else _SIGNS[item.correct]
    said = " ".join(item.answer.split())
    return f"{item.label} ({sign}): {item.prompt} -> {said}"


def _defuse(text: str) -> str:
    """Text that no spreadsheet runs, and that UTF-8 can hold."""
    safe = "\n".join(map(clean_text, text.split("\n")))
    return f"'{safe}" if safe.startswith(_FORMULA) else safe
