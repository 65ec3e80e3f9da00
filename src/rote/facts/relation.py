"""`Relation` and `PromptTemplate`: how a relation is asked for, in every language.

A relation pack is a YAML file. The packs shipped with the project lie in `packs/`; a user's own pack has the same
form and is named with `--set relations=[path.yaml]`.
"""

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from rote.errors import TemplateError

PromptSet = Literal["training", "held_out", "control"]
PROMPT_SETS: tuple[PromptSet, ...] = get_args(PromptSet)
LANGUAGES = ("en", "de", "es", "zh", "ja")
PACKS = Path(__file__).parent / "packs"
INJECTED_RELATIONS = ("author", "capital", "educated_at", "genre", "mother")
"""The five relations of the paper; the other shipped packs belong to the embedded model's world."""

SUBJECT = "{subject}"


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
class Relation:
    """A relation with its templates. Types (`person`, `city`) only guide the making of fiction and of worlds."""

    name: str
    description: str
    subject_type: str
    object_type: str
    templates: tuple[PromptTemplate, ...]

    def select(self, *, prompt_set: PromptSet | None = None, language: str | None = None) -> tuple[PromptTemplate, ...]:
        """The templates of one set and language; `None` stands for all."""
        return tuple(
            template
            for template in self.templates
            if prompt_set in (None, template.prompt_set) and language in (None, template.language)
        )

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages that have a template, in the order of the pack."""
        return tuple(dict.fromkeys(template.language for template in self.templates))


def load_relation(path: Path) -> Relation:
    """Load one relation pack. Raises `TemplateError` naming the file and the template at fault."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
        raise TemplateError(f"{path}: cannot be read as a relation pack ({reason})") from error
    if not isinstance(data, dict) or not isinstance(data.get("prompts"), dict) or "relation" not in data:
        raise TemplateError(f"{path}: a relation pack needs the keys 'relation' and 'prompts' (see docs/tables.md)")
    name = str(data["relation"])
    templates = tuple(_templates(path, name, data["prompts"], data.get("separators") or {}))
    if not any(template.prompt_set == "training" for template in templates):
        raise TemplateError(f"{path}: relation {name!r} needs at least one prompt under prompts: en: training:")
    return Relation(
        name=name,
        description=str(data.get("description", name)),
        subject_type=str(data.get("subject_type", "subject")),
        object_type=str(data.get("object_type", "object")),
        templates=templates,
    )


def _templates(
    path: Path, relation: str, prompts: dict[str, Any], separators: dict[str, str]
) -> Iterator[PromptTemplate]:
    for language, sets in prompts.items():
        for prompt_set, texts in (sets or {}).items():
            if prompt_set not in PROMPT_SETS:
                raise TemplateError(
                    f"{path}: unknown prompt set {prompt_set!r} under {language!r}; use {', '.join(PROMPT_SETS)}"
                )
            for text in texts or ():
                if str(text).count(SUBJECT) != 1:
                    raise TemplateError(f"{path}: the template {text!r} must contain {SUBJECT} exactly once")
                yield PromptTemplate(relation, str(text), prompt_set, language, separators.get(language, " "))


@cache
def load_shipped_relations() -> dict[str, Relation]:
    """All relation packs shipped with the project, by name."""
    relations = [load_relation(path) for path in sorted(PACKS.glob("*.yaml"))]
    return {relation.name: relation for relation in relations}


def load_relations(extra: Iterable[str | Path] = ()) -> dict[str, Relation]:
    """The shipped relations and a user's own packs; a pack takes the place of a shipped one of its name."""
    own = [load_relation(Path(path)) for path in extra]
    return {**load_shipped_relations(), **{relation.name: relation for relation in own}}


def pick_relations(names: Iterable[str]) -> list[Relation]:
    """Shipped relations by name. Raises `TemplateError` naming the nearest for one that is unknown."""
    shipped = load_shipped_relations()
    for name in names:
        if name not in shipped:
            nearest = difflib.get_close_matches(name, shipped, n=1, cutoff=0.0)[0]
            raise TemplateError(f"unknown relation {name!r}; the nearest shipped one is {nearest!r}")
    return [shipped[name] for name in names]
