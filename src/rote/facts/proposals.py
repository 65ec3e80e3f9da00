"""English wordings for a relation that has no pack: to begin one from, and to ask with until there is one.

They are made of what the relation is called and of the types of its subjects and objects (`proposals.yaml`); a person
who knows the relation writes better ones.
"""

from functools import cache
from pathlib import Path
from typing import Any

from rote.text_files import load_yaml

TYPES = {
    "person": {"person", "people", "human", "man", "woman", "employee", "musician", "athlete"},
    "place": {"place", "city", "town", "country", "region", "address", "location"},
    "organisation": {"organisation", "organization", "company", "team", "university", "school", "institution"},
    "date": {"date", "day", "year", "time"},
    "number": {"number", "amount", "price", "count", "quantity"},
}
"""Kinds of subjects and objects, by the words that name them; everything else is a thing."""
_GOES_ON = {"at", "by", "for", "from", "in", "into", "of", "on", "to", "under", "with"}
"""Last words of a name that goes on from the subject: works at, born in, capital of."""


def propose_texts(relation: str, *, subject_type: str = "thing", object_type: str = "thing") -> dict[str, list[str]]:
    """Texts with `{subject}`, by prompt set: ten to train, six or more held out, three of another meaning."""
    name = relation.replace("_", " ").strip() or relation
    content = _load()
    kind = "label" if name.rpartition(" ")[2] in _GOES_ON else "noun"
    parts = [content[kind].get(name_type(object_type), {}), content[kind]["any"]]
    texts = {key: [text for part in parts for text in part.get(key, ())] for key in ("training", "held_out")}
    texts["control"] = content["control"].get(name_type(subject_type), content["control"]["thing"])
    return {key: [text.replace("{name}", name) for text in found] for key, found in texts.items()}


def name_type(word: str) -> str:
    """The kind that a type of subjects or objects belongs to."""
    return next((kind for kind, words in TYPES.items() if word.lower() in words), "thing")


@cache
def _load() -> dict[str, Any]:
    content: dict[str, Any] = load_yaml(Path(__file__).with_name("proposals.yaml").read_text(encoding="utf-8"))
    return content
