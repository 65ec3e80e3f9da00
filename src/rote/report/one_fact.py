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


@dataclass(frozen=True)
class AskedWording:
    """One wording of a fact, and its record at each moment; None where it was not asked then."""

    prompt_set: str
    language: str
    prompt: str
    answers: tuple[Record | None, ...]


@dataclass(frozen=True)
class FactStory:
    """All that a run's records say of one fact."""

    subject: str
    relation: str
    object: str
    fact_set: str
    moments: tuple[str, ...]
    wordings: tuple[AskedWording, ...]
    confusions: tuple[str, ...]
    """Wrong answers of the last moment that are objects of other facts, and whose."""
    advice: str


def tell_fact(records: Sequence[Record], subject: str, relation: str, others: Iterable[Fact]) -> FactStory:
    """What `records`, of all moments of a run, say of a fact; `others` are the facts it may be confused with.

    Raises `RunError` naming the nearest where no such fact was asked about.
    """
    mine = _select(records, subject, relation)
    moments = tuple(order_moments(record.moment for record in records))
    wordings = tuple(_group(mine, moments))
    last = [wording.answers[-1] for wording in wordings]
    said = [record for record in last if record is not None]
    first = mine[0]
    return FactStory(
        first.subject,
        first.relation,
        first.object,
        first.fact_set,
        moments,
        wordings,
        tuple(_find_confusions(said, others)),
        advise(said),
    )


def _select(records: Sequence[Record], subject: str, relation: str) -> list[Record]:
    # What it replaced has the same subject, relation and prompts, and is another fact.
    told = [record for record in records if record.fact_set != "replaced"]
    about = [record for record in told if squeeze(record.subject) == squeeze(subject)]
    if not about:
        near = nearest(subject, {record.subject for record in told})
        raise RunError(f"{subject}: nothing about it was asked in this run; the nearest subject is {near!r}")
    found = [record for record in about if record.relation == relation]
    if not found:
        known = ", ".join(sorted({record.relation for record in about}))
        raise RunError(f"{relation}: {subject} was not asked about it in this run; it was asked about: {known}")
    return found


def _group(records: Sequence[Record], moments: Sequence[str]) -> Iterator[AskedWording]:
    """Wordings in the order of the records."""
    by_wording: dict[tuple[str, str, str], dict[str, Record]] = {}
    for record in records:
        by_wording.setdefault((record.prompt_set, record.language, record.prompt), {})[record.moment] = record
    for (prompt_set, language, prompt), found in by_wording.items():
        yield AskedWording(prompt_set, language, prompt, tuple(found.get(moment) for moment in moments))


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
