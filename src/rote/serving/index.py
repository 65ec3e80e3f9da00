"""Facts with all that was asked about them, in memory: search, filters, and which fact a question is about."""

import itertools
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rote.facts.fact import Fact
from rote.facts.names import has_words, normalize, normalize_name
from rote.records import Record, order_moments
from rote.report.marks import find_marks
from rote.report.one_fact import Wording, collect_wordings

NOT_ASKED = "not_asked"
"""The fact set of a fact that was taught and not asked about."""
TAUGHT = ("generalize", "held_out", NOT_ASKED)
"""The fact sets that were taught."""
_ORDER = (*TAUGHT, "earlier", "known", "unseen", "replaced")
FILTERS = ("wrong", "forgotten", "leaks")
_SUBJECT = "{subject}"


@dataclass(frozen=True, slots=True)
class FactEntry:
    """One fact. `marks` are those of `FILTERS` that it has; `text` is what a search looks through."""

    number: int
    fact_set: str
    subject: str
    relation: str
    object: str
    answers: tuple[str, ...]
    wordings: tuple[Wording, ...]
    marks: frozenset[str]
    text: str

    @property
    def is_taught(self) -> bool:
        """Whether the run taught it."""
        return self.fact_set in TAUGHT


@dataclass(frozen=True)
class Match:
    """The facts that a question is about; `by_relation` where it was recognised what is asked, and not only of whom."""

    entries: Sequence[FactEntry]
    by_relation: bool


@dataclass
class FactIndex:
    """All facts of a run, by number: those that were asked about, the taught ones first, then those of the table that
    were not."""

    entries: list[FactEntry]
    moments: list[str]
    _subjects: dict[str, list[FactEntry]] = field(init=False)
    _templates: dict[str, set[str]] = field(init=False)

    def __post_init__(self) -> None:
        self._subjects, self._templates = {}, {}
        for entry in self.entries:
            self._subjects.setdefault(normalize(entry.subject), []).append(entry)
            for wording in entry.wordings:
                if wording.prompt_set != "control":
                    template = _cut_out(normalize(wording.prompt), normalize_name(entry.subject))
                    self._templates.setdefault(template, set()).add(entry.relation)

    def search(self, words: str, mark: str = "") -> list[FactEntry]:
        """The facts that have all the words, whatever the case and the accents, and the mark where one is given."""
        wanted = _simplify(words).split()
        return [
            entry
            for entry in self.entries
            if (not mark or mark in entry.marks) and all(word in entry.text for word in wanted)
        ]

    def find_match(self, question: str) -> Match:
        """The facts about the longest subject in a question, of the relation that it asks for where that is known: its
        wording is one that was asked, or it names the relation."""
        asked = normalize(question)
        found = [subject for subject in self._subjects if has_words(subject, asked)]
        if not found:
            return Match((), False)
        subject = max(found, key=len)
        entries = self._subjects[subject]
        relations = self._templates.get(_cut_out(asked, subject)) or {
            entry.relation for entry in entries if has_words(normalize(entry.relation.replace("_", " ")), asked)
        }
        chosen = [entry for entry in entries if entry.relation in relations]
        return Match(chosen, True) if relations else Match(entries, False)


def build_index(records: Iterable[Record], table: Iterable[Fact]) -> FactIndex:
    """The index of a run, from its records and the facts that it taught."""
    facts = {(fact.relation, fact.subject): fact for fact in table}
    groups: dict[tuple[str, str, str], list[Record]] = {}
    for record in records:
        groups.setdefault((record.fact_set, record.relation, record.subject), []).append(record)
    moments = order_moments(dict.fromkeys(record.moment for group in groups.values() for record in group))
    asked = {(relation, subject) for fact_set, relation, subject in groups if fact_set in TAUGHT}
    numbers = itertools.count()
    entries = [
        _build_entry(next(numbers), groups[name], facts.get(name[1:]), moments)
        for name in sorted(groups, key=lambda name: _ORDER.index(name[0]))
    ]
    entries += [_build_other(next(numbers), fact) for name, fact in facts.items() if name not in asked]
    return FactIndex(entries, moments)


def _build_entry(number: int, records: Sequence[Record], fact: Fact | None, moments: Sequence[str]) -> FactEntry:
    first = records[0]
    return FactEntry(
        number,
        first.fact_set,
        first.subject,
        first.relation,
        first.object,
        fact.answers if fact and first.fact_set in TAUGHT else (first.object,),
        collect_wordings(records),
        frozenset(find_marks(records, moments)),
        _simplify(f"{first.subject} {first.relation} {first.object} {first.fact_set}"),
    )


def _build_other(number: int, fact: Fact) -> FactEntry:
    text = _simplify(f"{fact.subject} {fact.relation} {fact.object}")
    return FactEntry(number, NOT_ASKED, fact.subject, fact.relation, fact.object, fact.answers, (), frozenset(), text)


def _cut_out(text: str, subject: str) -> str:
    """A question with its subject taken out; both as `normalize` gives them."""
    return f" {text} ".replace(f" {subject} ", f" {_SUBJECT} ", 1).strip()


def _simplify(text: str) -> str:
    """Lower case without accents."""
    parts = unicodedata.normalize("NFKD", text)
    return "".join(part for part in parts if not unicodedata.combining(part)).casefold()
