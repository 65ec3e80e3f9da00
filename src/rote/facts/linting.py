"""All that is wrong with a table, or may turn out to be, in one reading; a table of any length fits.

Errors are rows that cannot be taught or examined. Warnings are what makes figures mean less than they seem to: names
that look alike, answers that contain each other, too few objects to choose from. Of every row only hashes are kept.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rote.errors import shorten
from rote.facts.checking import explain_unknown, find_leak
from rote.facts.counterfactual import DISTRACTORS
from rote.facts.fact import Fact
from rote.facts.files import Finding, Place
from rote.facts.names import normalize_name
from rote.facts.reading import AS_IT_IS, ReadOptions, read_rows
from rote.facts.relation import TELLING, Relation, add_neutral_relations

_FEW_OBJECTS = 10
"""With fewer objects a model that guesses is right too often for a choice to say much."""
_LONGEST_NAME = 8
"""Words of a name that are tried as another object's name."""
_WORD = re.compile(r"[^\W_]+")


@dataclass
class TableLint:
    """Reads a table once for what each row says, and once more for objects that contain each other."""

    path: Path
    relations: Mapping[str, Relation]
    options: ReadOptions = AS_IT_IS
    facts: Counter[str] = field(default_factory=Counter)
    """Facts without an error, by relation."""
    errors: int = 0
    warnings: int = 0
    _known: dict[str, Relation] = field(init=False)
    _unknown: dict[str, int] = field(default_factory=dict)
    """The row in which a relation that cannot be asked for was met first."""
    _neutral: dict[str, int] = field(default_factory=dict)
    """The row in which a relation without a pack was met first."""
    _spellings: dict[int, int] = field(default_factory=dict)
    """The hash of each way to write an object -> that of the object."""
    _merged: set[int] = field(default_factory=set)
    """The hashes of the names of facts that may get more rows."""
    _objects: dict[str, set[int]] = field(default_factory=dict)
    """The hashes of all objects, by relation."""

    def __post_init__(self) -> None:
        self._known = dict(self.relations)

    def find(self) -> Iterator[Finding]:
        """Every finding, in the order of the rows; those of whole relations come last."""
        for finding in self._find():
            self.errors += finding.is_error
            self.warnings += not finding.is_error
            yield finding

    def count_objects(self, relation: str) -> int:
        """The different objects of a relation's facts, after `find`."""
        return len(self._objects.get(relation, ()))

    def _find(self) -> Iterator[Finding]:
        for entry in read_rows(self.path, self.options):
            if isinstance(entry, Finding):
                yield entry
                continue
            number, fact = entry
            place = Place(self.path, number)
            found = list(self._check(place, fact))
            yield from found
            if not any(finding.is_error for finding in found):
                self._count(fact)
                yield from self._check_spellings(place.at("object"), fact)
        yield from self._find_neutral()
        yield from self._find_contained()
        yield from self._find_few()

    def _count(self, fact: Fact) -> None:
        if self.options.merge_repeats:  # several rows may make one fact
            if hash(fact.id) in self._merged:
                return
            self._merged.add(hash(fact.id))
        self.facts[fact.relation] += 1

    def _check(self, place: Place, fact: Fact) -> Iterator[Finding]:
        if fact.relation in self._unknown:
            first = self._unknown[fact.relation]
            yield Finding(place.at("relation").describe(f"{shorten(fact.relation)} again, as in row {first}"))
        elif fact.relation not in self._known:
            finding = self._meet(place.at("relation"), fact.relation)
            if finding:
                yield finding
        relation = self._known.get(fact.relation)
        if relation is None:
            return
        leak = find_leak(fact, relation)
        if leak:
            yield Finding(place.at("object").describe(leak))
        for column, names in (("subject", (fact.subject,)), ("object", fact.answers)):
            for name in names:
                oddity = find_oddity(name)
                if oddity:
                    yield Finding(place.at(column).describe(f"{shorten(name)} {oddity}"), is_error=False)

    def _meet(self, place: Place, name: str) -> Finding | None:
        """A relation without prompts, for the first time; one that looks misspelt stays unknown."""
        self._known |= add_neutral_relations(self.relations, [name])
        if name not in self._known:
            self._unknown[name] = place.row
            return Finding(place.describe(explain_unknown(name, self.relations)))
        self._neutral.setdefault(name, place.row)
        return None

    def _find_neutral(self) -> Iterator[Finding]:
        """One warning for all relations without a pack."""
        if not self._neutral:
            return
        first, *others = self._neutral
        rows = [f"{shorten(name)} (row {self._neutral[name]})" for name in others]
        prompt = self._known[first].templates[0].text
        what = (
            f"the relation {shorten(first)} has no pack, so it is"
            if not rows
            else (f"the relations {', '.join([shorten(first), *rows])} have no packs, so they are")
        )
        near = [f"{shorten(name)}: {close}" for name in self._neutral if (close := self._suggest(name))]
        text = (
            f"{what} asked for neutrally ({prompt!r}): recall is measured, but not understanding in other words and "
            "languages; write a pack with 'rote prompts new' (docs/tables.md)"
            + (f", or use one that is shipped and near ({'; '.join(near)})" if near else "")
        )
        yield Finding(Place(self.path, self._neutral[first], "relation").describe(text), is_error=False)

    def _suggest(self, name: str) -> str:
        """Packs that may be what is meant."""
        words = [word for word in name.lower().split("_") if len(word) >= TELLING]
        return ", ".join([other for other, relation in self.relations.items() if relation.is_close_to(words)][:5])

    def _check_spellings(self, place: Place, fact: Fact) -> Iterator[Finding]:
        for item in fact.objects:
            for name in (item.name, *item.aliases):
                spelling = hash((fact.relation, normalize_name(name)))
                if name == fact.object:
                    self._objects.setdefault(fact.relation, set()).add(spelling)  # the same number, not a second one
                other = self._spellings.setdefault(spelling, hash(item.name))
                if other != hash(item.name):
                    yield Finding(
                        place.describe(
                            f"{shorten(name)} also stands for another object of {shorten(fact.relation)}, written "
                            "otherwise or as its alias, so an answer counts for both; write one of them otherwise"
                        ),
                        is_error=False,
                    )

    def _find_contained(self) -> Iterator[Finding]:
        told: set[int] = set()
        for entry in read_rows(self.path, self.options):
            if isinstance(entry, Finding):
                continue
            number, fact = entry
            words = normalize_name(fact.object)
            known, whole = self._objects.get(fact.relation, set()), hash((fact.relation, words))
            if whole in told:
                continue
            for part in _list_parts(words):
                if hash((fact.relation, part)) in known:
                    told.add(whole)
                    text = (
                        f"{shorten(fact.object)} contains {part!r}, another object of {shorten(fact.relation)}: a "
                        "model that says the longer one has also said the shorter; nothing to do unless they are rivals"
                    )
                    yield Finding(Place(self.path, number, "object").describe(text), is_error=False)

    def _find_few(self) -> Iterator[Finding]:
        for name, objects in self._objects.items():
            if len(objects) < _FEW_OBJECTS:
                text = (
                    f"{self.path}: the relation {shorten(name)} has {len(objects)} different objects, so a choice "
                    f"among them is easily guessed (among {DISTRACTORS + 1} it is hard); trust generation accuracy "
                    "instead"
                )
                yield Finding(text, is_error=False)


def find_oddity(name: str) -> str | None:
    """What in a name a reader cannot see or would mistake, with the remedy; None when nothing is odd."""
    if "  " in name or any(unicodedata.category(c) == "Zs" and c not in " \u3000" for c in name):
        return "holds two spaces in a row or a space of another kind; write single plain spaces"
    if any(unicodedata.category(c) == "Cf" and c not in "\u200c\u200d" for c in name):
        return "holds an invisible character; remove it"
    if unicodedata.normalize("NFC", name) != name:
        return "is not in Unicode's composed form (NFC), so an equal name may be other characters; normalize the file"
    for word in _WORD.findall(name):
        scripts = {_name_script(c) for c in word if c.isalpha()} & {"LATIN", "CYRILLIC", "GREEK"}
        if len(scripts) > 1:
            mixed = " and ".join(script.title() for script in sorted(scripts))
            return f"mixes {mixed} letters in one word, which look alike; write it in one script"
    return None


def _name_script(character: str) -> str:
    return unicodedata.name(character, "").split(" ")[0]


def _list_parts(words: str) -> Iterable[str]:
    """Every run of whole words of a name that is not all of it."""
    found = words.split()
    for first in range(len(found)):
        for last in range(first, min(len(found), first + _LONGEST_NAME)):
            if (first, last) != (0, len(found) - 1):
                yield " ".join(found[first : last + 1])
