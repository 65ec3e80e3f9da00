"""Examples of right and wrong answers after the last phase, with what was said before."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rote.records import Record
from rote.report.display import MISSING, format_name, shorten_text
from rote.report.words import FACT_SETS

RIGHT = 2
WRONG = 2
TEXT_LIMIT = 110

_Question = tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """What was said to a prompt at one moment; `correct` is None where it was not asked."""

    text: str
    correct: bool | None


@dataclass(frozen=True)
class Example:
    """One question with the answers of every moment."""

    prompt: str
    language: str
    expected: str
    answers: tuple[Answer, ...]


@dataclass(frozen=True)
class ExampleGroup:
    """The examples of one relation."""

    title: str
    note: str
    examples: tuple[Example, ...]


def build_examples(records: Sequence[Record], moments: Sequence[str], *, fact_set: str) -> list[ExampleGroup]:
    """A group per relation of `fact_set`, then one for the facts known before. Chosen by a hash, so not by hand."""
    if not moments:
        return []
    by_question: dict[tuple[str, ...], Record] = {(*_question(record), record.moment): record for record in records}
    asked = [record for record in records if record.moment == moments[-1] and record.prompt_set == "held_out"]
    groups = []
    for relation in dict.fromkeys(record.relation for record in asked if record.fact_set == fact_set):
        chosen = [record for record in asked if record.relation == relation and record.fact_set == fact_set]
        groups.append((relation, FACT_SETS[fact_set], chosen))
    groups.append(("known facts", "all relations", [record for record in asked if record.fact_set == "known"]))
    return [
        ExampleGroup(
            shorten_text(format_name(title), TEXT_LIMIT),
            _describe(note, chosen),
            tuple(_build(by_question, item, moments) for item in _pick(chosen, by_question, moments)),
        )
        for title, note, chosen in groups
        if chosen
    ]


def _describe(note: str, records: Sequence[Record]) -> str:
    right = sum(record.correct for record in records)
    return f"{note}, held-out prompts in all languages asked: {right} of {len(records)} right"


def _question(record: Record) -> _Question:
    about = (record.fact_set, record.relation, record.subject, record.object)  # what an update replaced has its subject
    return (*about, record.prompt_set, record.language, record.prompt)


def _pick(
    records: Sequence[Record], by_question: Mapping[tuple[str, ...], Record], moments: Sequence[str]
) -> list[Record]:
    """Some right answers, then some wrong ones, of different languages where possible; first those that were asked at
    every moment, as before teaching a sample is."""

    def place(record: Record) -> tuple[int, bytes]:
        missing = sum((*_question(record), moment) not in by_question for moment in moments)
        return missing, hashlib.sha256("\x1f".join(_question(record)).encode("utf-8", "replace")).digest()

    ordered = sorted(records, key=place)
    right = _spread([record for record in ordered if record.correct], RIGHT)
    return [*right, *_spread([record for record in ordered if not record.correct], WRONG)]


def _spread(records: Iterable[Record], count: int) -> list[Record]:
    """The first `count` records, those of a language not yet chosen first."""
    first: dict[str, Record] = {}
    rest: list[Record] = []
    for record in records:
        if record.language in first:
            rest.append(record)
        else:
            first[record.language] = record
    return [*first.values(), *rest][:count]


def _build(by_question: Mapping[tuple[str, ...], Record], record: Record, moments: Sequence[str]) -> Example:
    answers = tuple(_answer(by_question.get((*_question(record), moment))) for moment in moments)
    return Example(
        shorten_text(record.prompt, TEXT_LIMIT),
        shorten_text(record.language, 20),
        shorten_text(record.object, TEXT_LIMIT),
        answers,
    )


def _answer(record: Record | None) -> Answer:
    return (
        Answer(MISSING, None) if record is None else Answer(shorten_text(record.generated, TEXT_LIMIT), record.correct)
    )
