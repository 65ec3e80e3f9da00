"""`Relation` and `PromptTemplate`: how a relation is asked for, in every language.

A relation pack is a YAML file. The packs shipped with the project lie in `packs/`; a user's own pack has the same
form and is named with `--set relations=[path.yaml]`. Packs in `packs/derived/` ask what follows from the facts of
others (`rote.facts.derivation`), those in `packs/wikidata/` are for tables of the real world; both are loaded apart, so
that the embedded model's corpus never sees them.
"""

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from rote.errors import TemplateError, explain_yaml, nearest, shorten
from rote.facts.fact import Fact, find_relation_fault
from rote.facts.names import normalize
from rote.facts.proposals import propose_texts
from rote.facts.shipped import load_world
from rote.text_files import load_yaml, read_text

PromptSet = Literal["training", "held_out", "control"]
PROMPT_SETS: tuple[PromptSet, ...] = get_args(PromptSet)
LANGUAGES = ("en", "de", "es", "zh", "ja")
TRAINING_LANGUAGE = "en"
"""The language of phase 2 (paper, section 3)."""
PromptCount = int | Literal["all"]
DerivationKind = Literal["inverse", "composed", "meaning"]
_BROADER = {
    **dict.fromkeys(("athlete", "competitor", "musician"), "person"),
    **dict.fromkeys(("book", "composition", "film", "song"), "work"),
}
"""Types of subjects that are kinds of another one."""
PACKS = Path(__file__).parent / "packs"
DERIVED_PACKS = PACKS / "derived"
WIKIDATA_PACKS = PACKS / "wikidata"
INJECTED_RELATIONS = ("author", "capital", "educated_at", "genre", "mother")
"""The five relations of the paper; the other shipped packs belong to the embedded model's world."""

SUBJECT = "{subject}"
TELLING = 4
"""Letters of a word that says what a relation is about."""
_GRAMMAR_ERRORS = (yaml.parser.ParserError, yaml.scanner.ScannerError)


@dataclass(frozen=True, slots=True)
class PromptTemplate:
    """A text with `{subject}` that ends where the object follows.

    `separator` is what stands between the prompt and the object: one space in the shipped packs, in every language,
    so that a name has the same tokens everywhere.
    """

    relation: str
    text: str
    prompt_set: PromptSet
    language: str
    separator: str = " "

    def fill(self, subject: str) -> str:
        """The prompt for one subject, without the separator."""
        return self.text.replace(SUBJECT, subject)

    @property
    def id(self) -> str:
        """The template's name in messages."""
        return f"{self.relation}/{self.language}/{self.prompt_set}: {self.text}"


@dataclass(frozen=True, slots=True)
class Derivation:
    """How the facts of a relation follow from those of others, its `sources`, which are relation names.

    - `inverse`: subject and object of the one source change places;
    - `composed`: the objects of the first source are the subjects of the second;
    - `meaning`: the same subjects and objects as the one source, under another claim.
    """

    kind: DerivationKind
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation with its templates. Types (`person`, `city`) only guide the making of fiction and of worlds.

    `derived` is None for a relation whose facts stand for themselves.
    """

    name: str
    description: str
    subject_type: str
    object_type: str
    templates: tuple[PromptTemplate, ...]
    derived: Derivation | None = None

    def __hash__(self) -> int:
        return hash(self.name)  # what is worked out once for a relation is looked up for each of a million facts

    def select(self, *, prompt_set: PromptSet | None = None, language: str | None = None) -> tuple[PromptTemplate, ...]:
        """The templates of one set and language; `None` stands for all."""
        return tuple(
            template
            for template in self.templates
            if prompt_set in (None, template.prompt_set) and language in (None, template.language)
        )

    def select_training(self, count: PromptCount) -> tuple[PromptTemplate, ...]:
        """The prompts of phase 2: the first `count` English training prompts, or all of them."""
        return self.select(prompt_set="training", language=TRAINING_LANGUAGE)[: None if count == "all" else count]

    def shares_subjects_with(self, other: "Relation") -> bool:
        """Whether both may be asked of the same subjects: what is asked of a person may be asked of a musician."""
        first, second = (_BROADER.get(kind, kind) for kind in (self.subject_type, other.subject_type))
        return first == second

    def is_close_to(self, words: Collection[str]) -> bool:
        """Whether these telling words of a name are those of its own, or stand in most of its English training prompts;
        a word that one prompt happens to have ("the office of the architect") says nothing."""
        wanted, own = set(words), {word for word in self.name.split("_") if len(word) >= TELLING}
        if not wanted:
            return False
        texts = [set(normalize(template.text).split()) for template in self.select_training("all")]
        return wanted <= own or own <= wanted or 2 * sum(wanted <= text for text in texts) > len(texts)

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages that have a template, in the order of the pack."""
        return tuple(dict.fromkeys(template.language for template in self.templates))


class _Pack(BaseModel):
    """A relation pack as it stands in its file."""

    model_config = ConfigDict(extra="forbid")

    relation: str
    description: str = ""
    subject_type: str = "subject"
    object_type: str = "object"
    prompts: dict[str, dict[PromptSet, list[str] | None] | None]
    separators: dict[str, str] = {}
    derived_from: dict[DerivationKind, str | list[str]] = {}


def load_relation(path: Path) -> Relation:
    """Load one relation pack. Raises `TemplateError` naming the file and the key or template at fault."""
    pack = _read_pack(path)
    templates = tuple(_build_templates(path, pack))
    relation = Relation(
        pack.relation,
        pack.description or pack.relation,
        pack.subject_type,
        pack.object_type,
        templates,
        _build_derivation(path, pack),
    )
    if not relation.select_training(1):
        raise TemplateError(
            f"{path}: relation {pack.relation!r} needs at least one prompt under "
            f"prompts: {TRAINING_LANGUAGE}: training:"
        )
    return relation


def _read_pack(path: Path) -> _Pack:
    try:
        data = load_yaml(read_text(path, limit="settings-bytes"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        remedy = "; quote a prompt that begins with {" if isinstance(error, _GRAMMAR_ERRORS) else ""
        raise TemplateError(f"{path}: cannot be read as a relation pack ({explain_yaml(error)}){remedy}") from error
    if not isinstance(data, dict) or not {"relation", "prompts"} <= data.keys():
        raise TemplateError(f"{path}: a relation pack needs the keys 'relation' and 'prompts' (see docs/tables.md)")
    try:
        pack = _Pack.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ": ".join(str(part) for part in first["loc"] if part != "[key]")
        raise TemplateError(
            f"{path}: wrong at {shorten(place)}: {first['msg'].lower()} (see docs/tables.md)"
        ) from error
    fault = find_relation_fault(pack.relation)
    if fault:
        raise TemplateError(f"{path}: wrong at 'relation': {fault}")
    return pack


def _build_templates(path: Path, pack: _Pack) -> Iterator[PromptTemplate]:
    for language, sets in pack.prompts.items():
        for prompt_set, texts in (sets or {}).items():
            for text in texts or ():  # an empty place of the scaffold
                if text.count(SUBJECT) != 1:
                    raise TemplateError(f"{path}: the template {shorten(text)} must contain {SUBJECT} exactly once")
                separator = pack.separators.get(language, " ")
                yield PromptTemplate(pack.relation, text, prompt_set, language, separator)


def _build_derivation(path: Path, pack: _Pack) -> Derivation | None:
    if "derived_from" not in pack.model_fields_set:  # an empty one is a mistake, none at all is not
        return None
    if len(pack.derived_from) != 1:
        kinds = ", ".join(get_args(DerivationKind))
        raise TemplateError(f"{path}: 'derived_from' must hold exactly one of the keys {kinds} (see docs/tables.md)")
    ((kind, named),) = pack.derived_from.items()
    sources = (named,) if isinstance(named, str) else tuple(named)
    if isinstance(named, str) == (kind == "composed") or len(sources) != (2 if kind == "composed" else 1):
        wanted = "[FIRST, SECOND], two relations" if kind == "composed" else "RELATION, a single name"
        raise TemplateError(f"{path}: wrong at 'derived_from: {kind}': write {kind}: {wanted} (see docs/tables.md)")
    if pack.relation in sources or not all(sources):
        raise TemplateError(
            f"{path}: wrong at 'derived_from: {kind}': {pack.relation!r} must follow from other relations, by name"
        )
    return Derivation(kind, sources)


@cache
def load_shipped_relations() -> dict[str, Relation]:
    """The relation packs of the embedded model's world, by name; the experiments use these alone."""
    return _load_folder(PACKS)


@cache
def load_derived_relations() -> dict[str, Relation]:
    """The shipped packs whose facts follow from those of other relations, by name."""
    return _load_folder(DERIVED_PACKS)


def _load_folder(folder: Path) -> dict[str, Relation]:
    relations = [load_relation(path) for path in sorted(folder.glob("*.yaml"))]
    return {relation.name: relation for relation in relations}


@cache
def load_wikidata_relations() -> dict[str, Relation]:
    """The shipped packs for tables of the real world, by name. The embedded model was made without their wordings."""
    return _load_folder(WIKIDATA_PACKS)


def load_relations(extra: Iterable[str | Path] = (), *, embedded: Iterable[str] = ()) -> dict[str, Relation]:
    """The shipped relations and a user's own packs.

    Of the same name, one of the real world takes the place of one of the embedded model's world, but for the names in
    `embedded`, and a user's takes the place of both.
    """
    own = {relation.name: relation for relation in (load_relation(Path(path)) for path in extra)}
    world = load_shipped_relations()
    return {**world, **load_wikidata_relations(), **{name: world[name] for name in embedded}, **own}


def list_packs(paths: Iterable[Path]) -> list[Path]:
    """Relation packs by file, or all of a folder. Raises `TemplateError` for a folder without any."""
    found = []
    for path in paths:
        packs = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
        if not packs:
            raise TemplateError(f"{path}: is a folder without packs (*.yaml); write one with 'rote prompts new'")
        found += packs
    return found


def find_packs(table: Path) -> list[Path]:
    """The packs in a folder `prompts` beside a table; none where there is no such folder."""
    return sorted((table.parent / "prompts").glob("*.yaml"))


def choose_packs(facts: Iterable[Fact], packs: Iterable[str | Path] = ()) -> dict[str, Relation]:
    """The packs to teach and ask some facts with: the shipped ones, those of `packs`, and neutral ones for the rest.

    Where both the embedded model's world and the real one have a pack of a name, the world's wordings are taken if at
    least half of the relation's facts are about its subjects (or there are none), so that a few new subjects among
    old ones do not change the prompts of all. One of `packs` comes before both.
    """
    world = {fact.subject for fact in load_world()}
    known: dict[str, list[bool]] = {}
    for fact in facts:
        known.setdefault(fact.relation, []).append(fact.subject in world)
    beyond = {name for name, found in known.items() if 2 * sum(found) < len(found)}
    embedded = [name for name in load_shipped_relations() if name not in beyond]
    return add_neutral_relations(load_relations(packs, embedded=embedded), known)


def find_neutral(facts: Iterable[Fact], packs: Iterable[str | Path] = ()) -> tuple[str, ...]:
    """The relations of some facts that have no pack, shipped or of `packs`."""
    known = load_relations(packs)
    return tuple(name for name in dict.fromkeys(fact.relation for fact in facts) if name not in known)


def add_neutral_relations(relations: Mapping[str, Relation], names: Iterable[str]) -> dict[str, Relation]:
    """`relations` with a neutral pack added for each of `names` that has none, except for one that looks misspelt.

    A neutral pack only puts the name beside the subject, in wordings that are much alike, so what it measures is nearer
    to recall than to understanding.
    """
    missing = [name for name in names if name not in relations and not _looks_misspelt(name, relations)]
    return {**relations, **{name: _build_neutral(name) for name in missing}}


def _looks_misspelt(name: str, known: Iterable[str]) -> bool:
    """Whether a name differs from a known one by a slip of the pen: `capitol` does, `date_of_birth` does not."""
    return bool(difflib.get_close_matches(name, list(known), n=1, cutoff=0.83))


def _build_neutral(name: str) -> Relation:
    texts = propose_texts(name)
    templates = tuple(
        PromptTemplate(name, text, prompt_set, TRAINING_LANGUAGE)
        for prompt_set in PROMPT_SETS
        for text in texts[prompt_set]
    )
    return Relation(name, name.replace("_", " "), "subject", "object", templates)


def pick_relations(names: Iterable[str]) -> list[Relation]:
    """Shipped relations by name. Raises `TemplateError` naming the nearest for one that is unknown."""
    return [_pick(name, load_shipped_relations(), "relation") for name in names]


def find_derived(names: Iterable[str]) -> list[Relation]:
    """Shipped derived relations by name. Raises `TemplateError` naming the nearest for one that is unknown."""
    return [_pick(name, load_derived_relations(), "derived relation") for name in names]


def _pick(name: str, known: Mapping[str, Relation], what: str) -> Relation:
    if name not in known:
        raise TemplateError(f"unknown {what} {name!r}; the nearest shipped one is {nearest(name, known)!r}")
    return known[name]
