"""The shipped relation packs and the reading of packs."""

from pathlib import Path

import pytest

from rote.errors import TemplateError
from rote.facts.fact import build_fact
from rote.facts.relation import (
    INJECTED_RELATIONS,
    LANGUAGES,
    PROMPT_SETS,
    SUBJECT,
    PromptSet,
    PromptTemplate,
    Relation,
    add_neutral_relations,
    choose_packs,
    load_relation,
    load_relations,
    load_shipped_relations,
    load_wikidata_relations,
)
from rote.facts.shipped import load_world

RELATIONS = load_relations()
WIKIDATA = load_wikidata_relations()


@pytest.mark.parametrize("name", INJECTED_RELATIONS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_an_injected_relation_has_its_prompts(name: str, language: str) -> None:
    counts = {
        prompt_set: len(RELATIONS[name].select(prompt_set=prompt_set, language=language)) for prompt_set in PROMPT_SETS
    }
    assert counts == {"training": 10 if language == "en" else 0, "held_out": 10, "control": 3}


@pytest.mark.parametrize("name", WIKIDATA)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_relation_of_the_real_world_has_its_prompts(name: str, language: str) -> None:
    counts = {
        prompt_set: len(WIKIDATA[name].select(prompt_set=prompt_set, language=language)) for prompt_set in PROMPT_SETS
    }
    english = {"training": 10, "held_out": 10, "control": 3}
    assert counts == (english if language == "en" else {"training": 0, "held_out": 4, "control": 2})


def test_25_relations_and_all_of_the_real_tables_have_their_prompts() -> None:
    complete = {*WIKIDATA, *INJECTED_RELATIONS}
    assert len(complete) >= 25
    for name in ("author", "capital", "country", "educated_at", "genre", "headquarters", "language_of_work"):
        assert name in complete
    for name in ("occupation", "performer", "place_of_birth", "place_of_death", "record_label", "spouse"):
        assert name in complete


def test_a_pack_of_the_real_world_has_all_the_wordings_of_the_embedded_one() -> None:
    shipped = load_shipped_relations()
    shared = set(WIKIDATA) & set(shipped)
    assert shared
    for name in shared:
        assert set(shipped[name].templates) <= set(WIKIDATA[name].templates)


@pytest.mark.parametrize("relation", RELATIONS.values(), ids=RELATIONS.keys())
def test_no_prompt_occurs_twice(relation: Relation) -> None:
    texts = [" ".join(template.text.casefold().split()) for template in relation.templates]
    assert len(texts) == len(set(texts))


@pytest.mark.parametrize("relation", load_shipped_relations().values(), ids=load_shipped_relations().keys())
def test_control_prompts_are_the_wording_of_another_relation(relation: Relation) -> None:
    others = {
        (template.language, template.text): other.name
        for other in RELATIONS.values()
        for template in other.templates
        if template.prompt_set != "control" and other.subject_type == relation.subject_type
    }
    for template in relation.select(prompt_set="control"):
        assert others.get((template.language, template.text), relation.name) != relation.name, template.id


def test_no_wording_asks_for_two_relations() -> None:
    owners: dict[tuple[str, str], str] = {}
    for relation in RELATIONS.values():
        for template in relation.templates:
            if template.prompt_set != "control":
                assert owners.setdefault((template.language, template.text), relation.name) == relation.name


@pytest.mark.parametrize("relation", RELATIONS.values(), ids=RELATIONS.keys())
def test_prompts_have_one_subject_and_no_space_at_their_ends(relation: Relation) -> None:
    assert relation.languages == LANGUAGES
    for template in relation.templates:
        assert template.text.count(SUBJECT) == 1
        assert template.text == template.text.strip()
        assert template.separator == " "
        assert "{" not in template.fill("X")


def test_a_subject_with_braces_is_filled_in_as_it_is() -> None:
    template = PromptTemplate("r", "Who is {subject}?", "training", "en")
    assert template.fill("{subject} {0} %s") == "Who is {subject} {0} %s?"


def test_select_narrows_by_set_and_language() -> None:
    relation = RELATIONS["mother"]
    sets: tuple[PromptSet, ...] = ("training", "held_out", "control")
    assert sum(len(relation.select(prompt_set=name)) for name in sets) == len(relation.select())
    assert {template.language for template in relation.select(language="ja")} == {"ja"}


def test_separators_are_read(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    prompts = 'prompts: {en: {training: ["{subject} is"]}, zh: {held_out: ["{subject}是"]}}'
    path.write_text(f'relation: r\nseparators: {{zh: ""}}\n{prompts}\n', encoding="utf-8")
    assert load_relation(path).templates == (
        PromptTemplate("r", "{subject} is", "training", "en"),
        PromptTemplate("r", "{subject}是", "held_out", "zh", ""),
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "relation: r\nprompts:\n  en:\n    training:\n      - {subject} is in\n",
            "(line 5: expected <block end>, but found '<scalar>'); quote a prompt that begins with {",
        ),
        ("relation: [", "cannot be read as a relation pack (line 1: "),
        ("- a\n- b\n", "needs the keys 'relation' and 'prompts'"),
        ("relation: r\n", "needs the keys 'relation' and 'prompts'"),
        ("relation: r\nprompts: {en: [a]}\n", "wrong at 'prompts: en'"),
        ("relation: r\nprompts: {en: {training: 'What {subject}'}}\n", "wrong at 'prompts: en: training'"),
        ("relation: r\nprompts: {de: {training: ['{subject} ist']}}\n", "at least one prompt under prompts: en"),
        ("relation: r\nseparators: x\nprompts: {en: {training: ['{subject} is']}}\n", "wrong at 'separators'"),
        ("relation: r\nprompt: {}\nprompts: {en: {training: ['{subject} is']}}\n", "wrong at 'prompt'"),
        ("relation: r\nprompts: {}\n", "at least one prompt under prompts: en: training:"),
        ("relation: r\nprompts: {en: {held_out: ['{subject} is']}}\n", "at least one prompt"),
        (
            "relation: r\nprompts: {en: {trainig: ['{subject} is']}}\n",
            "wrong at 'prompts: en: trainig'",
        ),
        ("relation: r\nrelation: s\nprompts: {}\n", "(line 2: the key 'relation' stands twice; keep one of them)"),
        ("relation: ''\nprompts: {en: {training: ['{subject} is']}}\n", "wrong at 'relation': is missing or empty"),
        ("relation: ..\nprompts: {en: {training: ['{subject} is']}}\n", "'..' is a place in a file system; write a"),
        ("relation: ../../x\nprompts: {en: {training: ['{subject} is']}}\n", "'../../x' holds a '/'"),
        (f"relation: {'x' * 900_000}\nprompts: {{en: {{training: ['{{subject}} is']}}}}\n", "longer than 200 char"),
        ("relation: r\nprompts: " + "[" * 20_000, "(it is nested without measure"),
        (
            "#" * 1_000_001,
            "(it is larger than 1,000,000 bytes; make it smaller, or allow more: rote --limit settings-bytes=NUMBER)",
        ),
        ("relation: r\nprompts: {en: {training: ['Who is it?']}}\n", "must contain {subject} exactly once"),
        ("relation: r\nprompts: {en: {training: ['{subject} or {subject}']}}\n", "must contain {subject} exactly once"),
    ],
)
def test_a_bad_pack_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(content)
    with pytest.raises(TemplateError) as caught:
        load_relation(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_missing_pack_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match=r"cannot be read as a relation pack \(.*No such file.*\)$"):
        load_relation(tmp_path / "none.yaml")


def test_only_a_slip_of_the_pen_is_taken_for_another_relation() -> None:
    names = ("born in", "employer", "date_of_birth", "colour", "editor", "owner", "language", "place_of_work")
    typos = ("mohter", "capitol", "place_of_brith")
    found = add_neutral_relations(load_relations(), (*names, *typos))
    assert all(name in found for name in names)
    assert not any(name in found for name in typos)


def test_one_new_subject_does_not_change_the_prompts_of_a_relation() -> None:
    shipped, rich = load_shipped_relations()["occupation"], WIKIDATA["occupation"]
    old = load_world().select("occupation")[:4]
    new = [build_fact(f"Gene Finley {number}", "occupation", "baker") for number in range(5)]
    assert choose_packs([*old, *new[:1]])["occupation"] == shipped
    assert choose_packs([*old, *new[:4]])["occupation"] == shipped
    assert choose_packs([*old, *new])["occupation"] == rich
    assert choose_packs([])["occupation"] == shipped


def test_relations_are_chosen_one_by_one_and_packs_of_ones_own_first(tmp_path: Path) -> None:
    path = tmp_path / "occupation.yaml"
    path.write_text("relation: occupation\nprompts: {en: {training: ['What does {subject} do?']}}\n")
    facts = [build_fact("Gene Finley", "occupation", "baker"), build_fact("Gene Finley", "shoe size", "44")]
    chosen = choose_packs(facts, [path])
    assert chosen["occupation"] == load_relation(path)
    assert chosen["shoe size"].templates[0].text == "What is the shoe size of {subject}?"
    assert chosen["mother"] == load_shipped_relations()["mother"]


def test_a_place_of_the_scaffold_may_be_left_empty(tmp_path: Path) -> None:
    path = tmp_path / "seat.yaml"
    path.write_text("relation: seat\nprompts:\n  en:\n    training: ['{subject} sits in']\n    held_out:\n  de:\n")
    relation = load_relation(path)
    assert [template.text for template in relation.templates] == ["{subject} sits in"]


def test_what_is_asked_of_a_person_may_be_asked_of_a_musician() -> None:
    packs = load_relations()
    assert packs["origin"].shares_subjects_with(packs["occupation"])
    assert packs["author"].shares_subjects_with(packs["language_of_work"])
    assert not packs["capital"].shares_subjects_with(packs["occupation"])
