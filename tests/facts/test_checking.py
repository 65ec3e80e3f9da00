"""Whether facts can be asked for: relations without prompts, and prompts that give the answer away."""

from pathlib import Path

import pytest

from rote.errors import TableError, TemplateError
from rote.facts.checking import check_table, find_fault, occurs_in
from rote.facts.fact import Fact, FactObject, build_fact
from rote.facts.relation import load_relation, load_shipped_relations
from rote.facts.table import FactTable

RELATIONS = load_shipped_relations()


def test_a_relation_without_prompts_is_refused_with_the_way_to_give_them() -> None:
    table = FactTable((build_fact("A", "composer", "B"),))
    with pytest.raises(TemplateError, match=r"'composer' has no prompts.*--set relations=\[my_relation\.yaml\].*docs/"):
        check_table(table, RELATIONS)


def test_a_misspelt_relation_is_answered_with_the_nearest() -> None:
    with pytest.raises(TemplateError, match=r"did you mean 'capital'\?"):
        check_table(FactTable((build_fact("A", "capitol", "B"),)), RELATIONS)


def test_an_own_pack_makes_a_relation_known(tmp_path: Path) -> None:
    path = tmp_path / "composer.yaml"
    path.write_text("relation: composer\nprompts: {en: {training: ['Who composed {subject}?']}}\n")
    check_table(FactTable((build_fact("A", "composer", "B"),)), {"composer": load_relation(path)})


def test_an_answer_in_its_prompt_is_refused_by_template() -> None:
    table = FactTable((build_fact("Kim Lee", "mother", "Mum"),))
    with pytest.raises(
        TableError, match=r"'mother/Kim Lee': its object 'Mum' stands in the prompt .mother/en/training: "
    ):
        check_table(table, RELATIONS)


def test_an_alias_in_its_prompt_is_refused() -> None:
    table = FactTable((Fact("Kim Lee", "mother", (FactObject("Ann Lee", ("the mother",)),)),))
    with pytest.raises(TableError, match="its object 'the mother' stands in the prompt"):
        check_table(table, RELATIONS)


def test_an_answer_in_its_subject_is_refused_for_tables_made_by_hand() -> None:
    with pytest.raises(TableError, match=r"'capital/Kuwait City State': the subject .* contains its object"):
        check_table(FactTable((build_fact("Kuwait City State", "capital", "Kuwait City"),)), RELATIONS)


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("Oman", "Which woman is it?", False),
        ("Oman", "the capital of oman is", True),
        ("Ross", "Rossini", False),
        ("Ross", "Cody Ross's", True),
        ("St. Ives", "in St. Ives.", True),
        ("東京", "彼は東京大学で", True),
        ("Lee", "誰がLeeを", True),
        ("Ｏｍａｎ", "oman", True),
        ("an", "banana an", True),
        ("D.C.", "Washington D.C.", True),
    ],
)
def test_names_stand_in_texts_as_words(name: str, text: str, found: bool) -> None:
    assert occurs_in(name, text) is found


def test_a_part_of_a_word_is_no_fault() -> None:
    assert find_fault(build_fact("Nigeria", "neighbour", "Niger")) is None
    assert find_fault(build_fact("Gene Finley", "mother", "Cody Finley")) is None
