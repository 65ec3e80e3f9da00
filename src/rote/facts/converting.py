"""From published records (`rote.facts.published`) to a table of facts, and to packs of the wordings they come with."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rote.errors import TableError, shorten
from rote.facts.checking import find_fault
from rote.facts.fact import Fact, FactTable, build_fact, build_provenance, find_relation_fault
from rote.facts.names import normalize
from rote.facts.prompt_checking import find_text_fault, write_pack
from rote.facts.published import Kind, Record, Statement, Which
from rote.facts.reading import merge_facts
from rote.facts.relation import SUBJECT, TRAINING_LANGUAGE

_MOST_WORDINGS = 20
"""Of a relation; the most frequent ones."""


@dataclass
class Converted:
    """What some records state."""

    facts: dict[str, Fact] = field(default_factory=dict)
    wordings: dict[str, Counter[str]] = field(default_factory=dict)
    """By relation, how often each was met."""
    left_out: int = 0
    """Records with a mistake."""
    contradicting: int = 0
    """Edits of a fact that an earlier record changes otherwise."""

    def build_table(self) -> FactTable:
        """The facts, in the order of the records."""
        return FactTable(tuple(self.facts.values()))

    def add(self, fact: Fact, wordings: Sequence[str], *, edits: bool) -> None:
        """Take in a fact, and the texts that ask for it."""
        known = self.facts.setdefault(fact.id, fact)
        if known.objects != fact.objects:
            if edits:
                self.contradicting += 1
                return
            self.facts[fact.id] = merge_facts(known, fact)
        self.wordings.setdefault(fact.relation, Counter()).update(dict.fromkeys(wordings, 1))


def convert_records(
    path: Path, kind: Kind, records: Sequence[Record], *, which: Which = "new", skip_faulty: bool = False
) -> Converted:
    """The facts of some records, with the true object or the new one of an edit.

    Of records that change one fact in several ways the first counts; of other records all objects do. Raises
    `TableError` for the first record with a mistake, or with `skip_faulty` where none is right.
    """
    found = Converted()
    for number, record in enumerate(records, start=1):
        try:
            if not kind.matches(record):
                raise ValueError(f"lacks the fields of {kind.name}: {kind.fields}")
            source = f"{path.name}, record {number}"
            # all of them, before any is taken in: a record counts as a whole or not at all
            stated = [(_build_fact(statement, source), statement.wordings) for statement in kind.read(record, which)]
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            if not skip_faulty:
                raise TableError(
                    f"{path}: record {number}: {_explain(error)}; mend it, or leave such records out: --skip-faulty"
                ) from error
            found.left_out += 1
            continue
        for fact, wordings in stated:
            found.add(fact, wordings, edits=kind.edits)
    if not found.facts:
        raise TableError(f"{path}: none of its {len(records):,} records states a fact that can be taught; mend them")
    return found


def _build_fact(statement: Statement, source: str) -> Fact:
    """What a record says as a fact. Raises `ValueError` for what cannot be asked."""
    fact = replace(
        build_fact(statement.subject, statement.relation, *statement.objects),
        provenance=build_provenance({"source": source}),
    )
    if fault := find_relation_fault(fact.relation) or find_fault(fact):
        raise ValueError(fault)
    return fact


def _explain(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"has no field {shorten(str(error.args[0]))}"
    return str(error) if isinstance(error, ValueError) else f"has another form than the first ({error})"


def write_packs(wordings: Mapping[str, Counter[str]]) -> Iterator[tuple[str, str]]:
    """Names and texts of relation packs with the wordings that can be used: the more frequent half of each relation's
    to train, the others held out. Relations without any have no pack."""
    for relation, counted in wordings.items():
        sound: dict[str, str] = {}
        for text, _ in counted.most_common():
            if text.count(SUBJECT) == 1 and find_text_fault(text) is None:
                sound.setdefault(normalize(text), text)
        texts = list(sound.values())[:_MOST_WORDINGS]
        half = (len(texts) + 1) // 2
        if texts:
            prompts = {"training": texts[:half], "held_out": texts[half:]}
            yield relation, write_pack(relation, ("subject", "object"), {TRAINING_LANGUAGE: prompts})
