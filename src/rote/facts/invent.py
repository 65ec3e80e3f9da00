"""Inventing names and facts that no pretrained model can know.

Names are put together from the parts in `names.yaml`. A quarter of all possible names is *reserved*: invented tables
name their subjects and objects by reserved names only, the corpus of the embedded model by the others only. So no fact
that is ever invented for a table occurs in that corpus, whatever the seed. (Their words do, and a short name can lie
inside a longer one: the town Daref in Darefell University.)
"""

import random
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cache
from pathlib import Path

import yaml

from rote.errors import TableError
from rote.facts.fact import Fact, FactTable, build_fact
from rote.facts.names import normalize_name
from rote.facts.relation import INJECTED_RELATIONS, Relation, load_shipped_relations
from rote.facts.shipped import FICTIONAL_SEED

_RESERVED_ONE_IN = 4
_MAX_TRIES_PER_NAME = 2_000
_PIECE = 6
"""Letters of the pieces by which a name is found in others."""

Namer = Callable[[random.Random], str]


@cache
def _words() -> dict[str, list[str]]:
    text = (Path(__file__).parent / "names.yaml").read_text(encoding="utf-8")
    words: dict[str, list[str]] = yaml.safe_load(text)
    return words


def _join(rng: random.Random, *lists: str) -> str:
    return "".join(rng.choice(_words()[name]) for name in lists)


def _woman(rng: random.Random) -> str:
    return f"{_join(rng, 'feminine_names')} {_join(rng, 'surname_heads', 'surname_tails')}"


def _person(rng: random.Random) -> str:
    if rng.random() < 0.5:
        return _woman(rng)
    return f"{_join(rng, 'masculine_names')} {_join(rng, 'surname_heads', 'surname_tails')}"


def _city(rng: random.Random) -> str:
    return _join(rng, "town_heads", "town_middles", "town_tails")


def _country(rng: random.Random) -> str:
    return _join(rng, "land_heads", "land_middles", "land_tails")


def _university(rng: random.Random) -> str:
    form = rng.choice(("University of {}", "{} University", "{} College", "{} Institute of Technology"))
    return form.format(_city(rng))


def _book(rng: random.Random) -> str:
    form = rng.choice(("The {0} {1}", "The {1} of {2}", "My {0} {1}", "{0} {1}s", "The {1} and the {3}"))
    return form.format(_join(rng, "adjectives"), _join(rng, "nouns"), _city(rng), _join(rng, "nouns"))


def _musician(rng: random.Random) -> str:
    return _person(rng) if rng.random() < 0.5 else f"The {_join(rng, 'adjectives')} {_join(rng, 'nouns')}s"


def _genre(rng: random.Random) -> str:
    return f"{_join(rng, 'genre_heads')} {_join(rng, 'genre_tails')}"


def _currency(rng: random.Random) -> str:
    return f"{_join(rng, 'land_heads', 'land_middles').lower()}n {_join(rng, 'units')}"


def _language(rng: random.Random) -> str:
    return _join(rng, "land_heads", "land_middles") + "nish"


NAMERS: dict[str, Namer] = {
    "person": _person,
    "woman": _woman,
    "city": _city,
    "country": _country,
    "university": _university,
    "book": _book,
    "musician": _musician,
    "genre": _genre,
    "currency": _currency,
    "language": _language,
}


def is_reserved(name: str) -> bool:
    """Whether a name may be used in invented tables (and therefore never in the embedded model's corpus)."""
    return zlib.crc32(name.encode("utf-8")) % _RESERVED_ONE_IN == 0


def invent_name(rng: random.Random, kind: str, *, reserved: bool) -> str:
    """Invent one name of a kind (`person`, `city` ...), reserved or not. Raises `TableError` for other kinds."""
    if kind not in NAMERS:
        raise TableError(f"no names can be invented for the type {kind!r}; known types: {', '.join(sorted(NAMERS))}")
    while True:
        name = NAMERS[kind](rng)
        if is_reserved(name) == reserved:
            return name


class _Taken:
    """Names that are taken, as words; whether another touches one is found without going through all of them."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._holding: dict[str, list[str]] = {}
        """Names by each piece of them."""

    def add(self, words: str) -> None:
        """Take a name."""
        self._names.add(words)
        for piece in set(_cut(words)):
            self._holding.setdefault(piece, []).append(words)

    def touch(self, words: str) -> bool:
        """As `touch_words` of all names that are taken: whether one of them holds this one, or lies in it."""
        ends = range(1, len(words) + 1)
        return self._is_held(words) or any(words[start:end] in self._names for end in ends for start in range(end))

    def _is_held(self, words: str) -> bool:
        """A name that holds another holds the rarest piece of it."""
        pieces = _cut(words)
        some = min((self._holding.get(piece, []) for piece in pieces), key=len) if pieces else self._names
        return any(words in name for name in some)


def _cut(words: str) -> list[str]:
    """All pieces of a name that have so many letters; none of a shorter one."""
    return [words[start : start + _PIECE] for start in range(len(words) - _PIECE + 1)]


def _distinct_names(rng: random.Random, kind: str, taken: _Taken) -> Iterator[str]:
    """Reserved names of which none touches another, nor one that is taken; each is taken then."""
    for _ in range(_MAX_TRIES_PER_NAME):
        name = invent_name(rng, kind, reserved=True)
        words = normalize_name(name)
        if not taken.touch(words):
            taken.add(words)
            yield name


def invent_facts(relation: Relation, *, count: int, seed: int) -> tuple[Fact, ...]:
    """Invent `count` facts of one relation, the same ones for the same seed.

    No name contains another one of the same relation, subject or object. Raises `TableError` when the relation's
    types have no name maker or fewer than `count` such names can be found.
    """
    rng = random.Random(f"{relation.name}/{seed}")
    taken = _Taken()
    facts: list[Fact] = []
    for _ in range(count):
        subject = next(_distinct_names(rng, relation.subject_type, taken), None)
        answer = next(_distinct_names(rng, relation.object_type, taken), None)
        if subject is None or answer is None:
            raise TableError(
                f"only {len(facts)} facts of {relation.name!r} could be invented with distinct names; "
                f"ask for a smaller --count than {count}"
            )
        facts.append(build_fact(subject, relation.name, answer))
    return tuple(facts)


def invent_table(relations: list[Relation], *, count: int, seed: int) -> FactTable:
    """Invent a table with `count` facts of each relation."""
    facts = [fact for relation in relations for fact in invent_facts(relation, count=count, seed=seed)]
    return FactTable(tuple(facts), seed=seed)


def invent_fictional() -> FactTable:
    """The frozen table (`rote.facts.shipped.load_fictional`), invented anew as it was made."""
    relations = load_shipped_relations()
    return invent_table([relations[name] for name in INJECTED_RELATIONS], count=100, seed=FICTIONAL_SEED)


def recombine_names(names: Sequence[str], *, count: int, seed: int, taken: Collection[str] = ()) -> list[str]:
    """At most `count` names of what does not exist, each the beginning of one name and the end of another.

    None is in `taken`. Names of several words are cut between words, those of one word in their middle.
    """
    rng = random.Random(f"recombine/{seed}")
    known = {normalize_name(name) for name in (*names, *taken)}
    found: list[str] = []
    for _ in range(50 * count):
        if len(found) == count or len(names) < 2:
            break
        first, second = rng.sample(names, 2)
        name = _cross(first, second)
        if name and normalize_name(name) not in known:
            known.add(normalize_name(name))
            found.append(name)
    return found


def _cross(first: str, second: str) -> str | None:
    one, other = first.split(), second.split()
    if len(one) > 1 and len(other) > 1:
        return " ".join([*one[: len(one) // 2], *other[len(other) // 2 :]])
    if len(one) == len(other) == 1:
        return first[: len(first) // 2] + second[len(second) // 2 :].lower()
    return None
