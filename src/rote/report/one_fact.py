"""Why one fact is answered as it is: every wording at every moment, what is said instead, and what to try."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rote.errors import RunError, nearest
from rote.facts.fact import Fact
from rote.facts.names import occurs_in, squeeze
from rote.records import Record, order_moments
from rote.report.marks import advise

_HOLDERS = 3
"""Facts that are named of all that have an object."""


@dataclass(frozen=True, slots=True)
class Wording:
    """One question about a fact, with what was recorded at each moment it was asked at."""

    prompt_set: str
    language: str
    prompt: str
    records: dict[str, Record]


@dataclass(frozen=True)
class FactStory:
    """All that a run's records say of one fact."""

    subject: str
    relation: str
    object: str
    fact_set: str
    moments: tuple[str, ...]
    wordings: tuple[Wording, ...]
    confusions: tuple[str, ...]
    """Wrong answers of the last moment that are objects of other facts, and whose."""
    advice: str


def tell_fact(records: Sequence[Record], subject: str, relation: str, others: Iterable[Fact]) -> FactStory:
    """What `records`, of all moments of a run, say of a fact; `others` are the facts it may be confused with.

    Raises `RunError` naming the nearest where no such fact was asked about.
    """
    mine = _select(records, subject, relation)
    moments = tuple(order_moments(record.moment for record in records))
    said = [record for record in mine if record.moment == moments[-1]]
    first = mine[0]
    return FactStory(
        first.subject,
        first.relation,
        first.object,
        first.fact_set,
        moments,
        collect_wordings(mine),
        tuple(_find_confusions(said, others)),
        advise(mine, moments),
    )


def _select(records: Sequence[Record], subject: str, relation: str) -> list[Record]:
    # What it replaced has the same subject, relation and prompts, and is another fact.
    told = [record for record in records if record.fact_set != "replaced"]
    about = [record for record in told if squeeze(record.subject) == squeeze(subject)]
    if not about:
        near = nearest(subject, {record.subject for record in told})
        raise RunError(f"{subject}: nothing about it was asked in this run; the nearest subject is {near!r}")
    found = [record for record in about if squeeze(record.relation) == squeeze(relation)]
    if not found:
        known = ", ".join(sorted({record.relation for record in about}))
        raise RunError(f"{relation}: {subject} was not asked about it in this run; it was asked about: {known}")
    return found


def collect_wordings(records: Sequence[Record]) -> tuple[Wording, ...]:
    """The questions that the records of one fact are answers to, in their order."""
    found: dict[tuple[str, str, str], Wording] = {}
    for record in records:
        name = (record.prompt_set, record.language, record.prompt)
        found.setdefault(name, Wording(*name, {})).records[record.moment] = record
    return tuple(found.values())


def _find_confusions(said: Sequence[Record], others: Iterable[Fact]) -> Iterator[str]:
    wrong = [record for record in said if not record.correct and record.prompt_set != "control"]
    holders: dict[str, list[str]] = {}
    for fact in others:
        if any(fact.relation == record.relation and occurs_in(fact.object, record.generated) for record in wrong):
            holders.setdefault(fact.object, []).append(fact.subject)
    for name, subjects in holders.items():
        asked = next(record.prompt for record in wrong if occurs_in(name, record.generated))
        more = f" and {len(subjects) - _HOLDERS:,} others" if len(subjects) > _HOLDERS else ""
        yield f"{name}, which is that of {', '.join(subjects[:_HOLDERS])}{more}: {asked}"
