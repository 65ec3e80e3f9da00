"""The shipped derived packs and the reading of `derived_from`."""

import unicodedata
from pathlib import Path

import pytest

from rote.errors import TemplateError
from rote.facts.checking import check_table
from rote.facts.derivation import derive_facts
from rote.facts.fact import FactTable
from rote.facts.relation import (
    PROMPT_SETS,
    SUBJECT,
    Derivation,
    Relation,
    find_derived,
    load_derived_relations,
    load_relation,
    load_shipped_relations,
    pick_relations,
)
from rote.facts.shipped import load_fictional

RELATIONS = load_shipped_relations()
DERIVED = load_derived_relations()
each_pack = pytest.mark.parametrize("relation", DERIVED.values(), ids=DERIVED.keys())


def normalise(text: str) -> str:
    kept = "".join(" " if unicodedata.category(character)[0] == "P" else character for character in text.casefold())
    return " ".join(kept.split())


def find_derivation(relation: Relation) -> Derivation:
    assert relation.derived is not None
    return relation.derived


def test_derived_packs_are_kept_apart() -> None:
    assert len(DERIVED) == 12
    assert not DERIVED.keys() & RELATIONS.keys()
    assert all(relation.derived is None for relation in RELATIONS.values())


@each_pack
def test_a_pack_has_its_prompts(relation: Relation) -> None:
    counts = {prompt_set: len(relation.select(prompt_set=prompt_set)) for prompt_set in PROMPT_SETS}
    assert counts == {"training": 3, "held_out": 5, "control": 2}
    assert relation.languages == ("en",)
    assert relation.description != relation.name
    for template in relation.templates:
        assert template.text.count(SUBJECT) == 1
        assert template.text == template.text.strip()
        assert "{" not in template.fill("X")


@each_pack
def test_no_prompt_occurs_twice_or_in_a_source(relation: Relation) -> None:
    texts = [normalise(template.text) for template in relation.templates]
    assert len(set(texts)) == len(texts)
    for source in find_derivation(relation).sources:
        assert not {normalise(template.text) for template in RELATIONS[source].templates} & set(texts)


def test_no_wording_asks_for_two_relations() -> None:
    owners: dict[str, str] = {}
    for relation in (*RELATIONS.values(), *DERIVED.values()):
        for template in relation.templates:
            if template.prompt_set != "control":
                assert owners.setdefault(normalise(template.text), relation.name) == relation.name


@each_pack
def test_control_prompts_are_the_wording_of_another_relation(relation: Relation) -> None:
    wordings = {
        template.text
        for other in RELATIONS.values()
        for template in other.templates
        if template.prompt_set != "control" and other.subject_type in (relation.subject_type, "person")
    }
    known = {other.subject_type for other in RELATIONS.values()} | {"woman"}
    if relation.subject_type in known:  # no shipped relation asks about a city, a university or a genre
        assert {template.text for template in relation.select(prompt_set="control")} <= wordings


@each_pack
def test_types_are_those_of_the_sources(relation: Relation) -> None:
    derivation = find_derivation(relation)
    first, last = RELATIONS[derivation.sources[0]], RELATIONS[derivation.sources[-1]]
    types = (first.subject_type, last.object_type)
    assert (relation.subject_type, relation.object_type) == (types[::-1] if derivation.kind == "inverse" else types)


@each_pack
def test_what_follows_from_the_frozen_table_can_be_asked(relation: Relation) -> None:
    derived = derive_facts(load_fictional(), relation)
    check_table(FactTable(tuple(item.fact for item in derived)), DERIVED)
    assert len(derived) == (0 if find_derivation(relation).kind == "composed" else 100)


def test_relations_are_found_by_name() -> None:
    assert find_derived(name for name in ("rival", "child")) == [DERIVED["rival"], DERIVED["child"]]
    assert pick_relations(name for name in ("genre", "mother")) == [RELATIONS["genre"], RELATIONS["mother"]]
    with pytest.raises(TemplateError, match="unknown derived relation 'chld'; the nearest shipped one is 'child'"):
        find_derived(["rival", "chld"])
    with pytest.raises(TemplateError, match="unknown relation 'child'"):
        pick_relations(["child"])


def write_pack(folder: Path, derived_from: str) -> Path:
    path = folder / "r.yaml"
    path.write_text(f"relation: r\nderived_from: {derived_from}\nprompts: {{en: {{training: ['{SUBJECT} is']}}}}\n")
    return path


@pytest.mark.parametrize(
    ("derived_from", "derivation"),
    [
        ("{inverse: mother}", Derivation("inverse", ("mother",))),
        ("{meaning: mother}", Derivation("meaning", ("mother",))),
        ("{composed: [mother, mother]}", Derivation("composed", ("mother", "mother"))),
    ],
)
def test_derived_from_is_read(tmp_path: Path, derived_from: str, derivation: Derivation) -> None:
    assert load_relation(write_pack(tmp_path, derived_from)).derived == derivation


@pytest.mark.parametrize(
    ("derived_from", "message"),
    [
        ("mother", "wrong at 'derived_from': input should be a valid dictionary"),
        ("", "wrong at 'derived_from': input should be a valid dictionary"),
        ("{}", "'derived_from' must hold exactly one of the keys inverse, composed, meaning"),
        ("{inverse: mother, meaning: mother}", "must hold exactly one of the keys"),
        ("{inverted: mother}", "wrong at 'derived_from: inverted': input should be 'inverse', 'composed' or 'meaning'"),
        ("{inverse: 3}", "wrong at 'derived_from: inverse"),
        ("{inverse: [mother]}", "wrong at 'derived_from: inverse': write inverse: RELATION"),
        ("{meaning: [mother, genre]}", "wrong at 'derived_from: meaning': write meaning: RELATION"),
        ("{composed: mother}", "wrong at 'derived_from: composed': write composed: [FIRST, SECOND]"),
        ("{composed: [mother]}", "wrong at 'derived_from: composed': write composed: [FIRST, SECOND]"),
        ("{composed: [a, b, c]}", "wrong at 'derived_from: composed': write composed: [FIRST, SECOND]"),
        ("{inverse: r}", "'r' must follow from other relations"),
        ("{composed: [mother, '']}", "'r' must follow from other relations"),
    ],
)
def test_a_bad_derivation_is_refused(tmp_path: Path, derived_from: str, message: str) -> None:
    path = write_pack(tmp_path, derived_from)
    with pytest.raises(TemplateError) as caught:
        load_relation(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
