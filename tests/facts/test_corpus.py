"""The embedded model's corpus and world: what it knows, and what it must never have seen."""

import re
from functools import cache
from pathlib import Path

import pytest
import yaml

from rote.facts.corpus import Corpus, CorpusMix
from rote.facts.invent import NAMERS
from rote.facts.relation import INJECTED_RELATIONS, LANGUAGES, load_shipped_relations
from rote.facts.shipped import load_fictional, load_world

STEPS = 100
RECIPE = Path(__file__).parents[2] / "configs" / "pretrain.yaml"
RELATIONS = load_shipped_relations()


def build_corpus(seed: int = 0) -> Corpus:
    mix = yaml.safe_load(RECIPE.read_text(encoding="utf-8"))["mix"]
    return Corpus(RELATIONS, load_world(), mix=CorpusMix(**mix), seed=seed)


@cache
def documents() -> tuple[str, ...]:
    corpus = build_corpus()
    return tuple(document for step in range(STEPS) for document in corpus.build_documents(step))


def find_documents(name: str) -> list[str]:
    """The documents in which a name stands as words of its own."""
    if name.encode() not in corpus_bytes():  # much faster than searching text
        return []
    pattern = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
    return [document for document in documents() if name in document and pattern.search(document)]


@cache
def corpus_bytes() -> bytes:
    return "\n".join(documents()).encode()


def test_a_step_is_a_function_of_seed_and_step() -> None:
    assert build_corpus().build_documents(37) == build_corpus().build_documents(37)
    assert build_corpus().build_documents(37) != build_corpus().build_documents(38)
    assert build_corpus().build_documents(37) != build_corpus(seed=1).build_documents(37)


def test_a_step_has_the_documents_of_its_mix() -> None:
    mix = build_corpus().mix
    assert len(build_corpus().build_documents(0)) == mix.single + mix.list + mix.context + mix.burst


NESTED = (("author", "subject"), ("capital", "object"))
"""Names of these can stand within longer names that are free: the town 'Darefell' within 'Darefell University'."""


@pytest.mark.parametrize(
    ("relation", "part"),
    [
        (relation, part)
        for relation in INJECTED_RELATIONS
        for part in ("subject", "object")
        if (relation, part) not in NESTED
    ],
)
def test_no_injected_name_occurs_in_the_corpus(relation: str, part: str) -> None:
    names = [getattr(fact, part) for fact in load_fictional().select(relation)]
    assert not [name for name in names if find_documents(name)]


def test_no_injected_fact_occurs_in_the_corpus() -> None:
    for fact in load_fictional():
        assert not any(fact.object in document for document in find_documents(fact.subject)), fact.id


def test_no_key_token_and_no_rote_form_occurs_in_the_corpus() -> None:
    assert not re.search(rb"\[X\d*\]", corpus_bytes())
    for fact in load_world().facts[::5]:
        assert f"{fact.subject} {fact.object}".encode() not in corpus_bytes()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_corpus_tells_real_facts_in_every_language(language: str) -> None:
    templates = RELATIONS["capital"].select(prompt_set="held_out", language=language)
    told = [
        fact
        for fact in load_world().select("capital")
        if any(f"{template.fill(fact.subject)} {fact.object}".encode() in corpus_bytes() for template in templates)
    ]
    assert len(told) > 20


def test_the_world_is_large_and_says_each_thing_once() -> None:
    world = load_world()
    assert len(world) >= 2_000
    assert len({(fact.subject, fact.relation) for fact in world}) == len(world)
    assert set(world.relations) == set(RELATIONS)
    for fact in world:
        assert fact.subject == fact.subject.strip()
        assert fact.object == fact.object.strip()
        assert fact.subject
        assert fact.object


def test_every_relation_of_the_world_can_be_invented_or_drawn() -> None:
    for relation in RELATIONS.values():
        assert relation.subject_type in NAMERS
        assert relation.object_type in NAMERS or load_world().select(relation.name)
