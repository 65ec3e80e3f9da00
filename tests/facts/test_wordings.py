"""Sentences found again by their wording, whatever they are about."""

import pytest

from rote.facts.relation import (
    LANGUAGES,
    PromptTemplate,
    Relation,
    load_derived_relations,
    load_shipped_relations,
    load_wikidata_relations,
)
from rote.facts.wordings import Wordings

PACKS = (load_shipped_relations(), load_wikidata_relations(), load_derived_relations())
RELATIONS = [relation for pack in PACKS for relation in pack.values()]
SUBJECTS = ("Gene Finley", "Who's Afraid of Virginia Woolf?", "St. Ives", "東京", "U", "!!!")


def build(text: str, language: str = "en") -> PromptTemplate:
    return PromptTemplate("r", text, "held_out", language)


def select(relation: Relation, *sets: str) -> list[PromptTemplate]:
    return [template for template in relation.templates if template.prompt_set in sets]


@pytest.mark.parametrize("relation", RELATIONS, ids=lambda relation: relation.description[:30])
def test_every_filled_template_is_found_in_any_text(relation: Relation) -> None:
    for template in relation.templates:
        wordings = Wordings([template])
        for subject in SUBJECTS:
            filled = template.fill(subject)
            for text in (filled, f"{filled} Cody Ross", f"A line.\n {filled.upper()} Cody Ross.\nAnother line."):
                assert wordings.find(text) is template


@pytest.mark.parametrize("language", LANGUAGES)
def test_many_templates_are_looked_for_at_once(language: str) -> None:
    templates = [template for relation in RELATIONS for template in relation.select(language=language)]
    wordings = Wordings(templates)
    assert all(wordings.occur_in(f"{template.fill('Gene Finley')} Cody Ross") for template in templates)


@pytest.mark.parametrize("relation", RELATIONS, ids=lambda relation: relation.description[:30])
def test_a_training_wording_is_not_taken_for_a_held_out_one(relation: Relation) -> None:
    """Unless a held-out prompt has the same words: the sentence is in its wording then."""
    wordings = Wordings(select(relation, "held_out", "control"))
    for template in select(relation, "training"):
        found = wordings.find(f"{template.fill('Gene Finley')} Cody Ross")
        if found is not None:
            before, after = found.text.split("{subject}")
            assert before.rstrip() in template.fill("Gene Finley")
            assert after.strip(" ?") in template.fill("Gene Finley")


@pytest.mark.parametrize(
    ("template", "text", "found"),
    [
        ("The capital of {subject} is", "Every child knows: the  capital\nof Old France IS Paris.", True),
        ("The capital of {subject} is", "The capital of France was moved.", False),
        ("The capital of {subject} is", "It is the capital of France", False),
        ("The capital of {subject} is", "The capitals of France is", False),
        ("The capital of {subject} is", "The capital of this", False),
        ("{subject}'s mother:", "Gene\u2019s mother was Cody", True),
        ("{subject} 的首都是", "法国的首都是巴黎", True),
        ("{subject} 的首都是", "首都是法国的", False),
        ("Wie heißt {subject}s Mutter?", "Wie heisst Genes Mutter? Cody", True),
        ("Wie heißt {subject}s Mutter?", "Wie heißt Gene Mutter?", False),
        ("Wie heißt {subject}s Mutter?", "Wie heißt die Mutter?", False),
        ("{subject}s Mutter:", "Anna und Genes Mutter", True),
    ],
)
def test_words_count_and_nothing_else(template: str, text: str, found: bool) -> None:
    assert Wordings([build(template)]).occur_in(text) is found


def test_a_template_that_says_little_is_found_in_whatever_has_its_words() -> None:
    assert Wordings([build("{subject} is")]).occur_in("Paris is in France")
    assert not Wordings([build("{subject} is")]).occur_in("This was Paris")


@pytest.mark.parametrize("text", ["{subject}", "{subject}:", "- {subject} ="[:-1]])
def test_a_template_that_says_nothing_is_found_in_every_text(text: str) -> None:
    wordings = Wordings([build("The capital of {subject} is"), build(text)])
    assert wordings.occur_in("Anything at all")
    assert not wordings.occur_in("")


def test_without_templates_nothing_is_found() -> None:
    assert not Wordings([]).occur_in("The capital of France is Paris")
