"""Whether facts can be asked for: relations without prompts, and prompts that give the answer away."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rote.errors import TableError, TemplateError
from rote.facts.checking import check_table, find_fault, find_leak
from rote.facts.fact import Fact, FactObject, FactTable, build_fact
from rote.facts.names import contains_answer
from rote.facts.relation import PromptTemplate, Relation, load_relation, load_shipped_relations

RELATIONS = load_shipped_relations()


def test_a_relation_without_prompts_is_refused_with_the_way_to_give_them() -> None:
    table = FactTable((build_fact("A", "composer", "B"),))
    with pytest.raises(TemplateError, match=r"'composer' has no prompts.*'rote prompts new'.*--prompts \(docs/"):
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
    ("subject", "answer"),
    [
        ("The Coca Cola Company", "Coca-Cola"),
        ("St John\u2019s Basilica", "St. John's"),
        ("St. John's Basilica", "St John\u2019s"),
        ("Washington DC Metro", "Washington, D.C."),
        ("Zoe\u0308's Bar", "Zo\u00eb"),
        ("ハリー・ポッターの本", "ハリーポッター"),
        ("C# in Depth", "C"),
    ],
)
def test_an_answer_in_its_subject_is_refused_however_it_is_written(subject: str, answer: str) -> None:
    """Otherwise a model that only repeats its question would be right."""
    assert contains_answer(f"{subject}, {subject}", [answer])
    assert "contains its object" in str(find_fault(build_fact(subject, "r", answer)))
    assert "contains its object" in str(find_fault(Fact(subject, "r", (FactObject("Something Else", (answer,)),))))
    assert "contains its subject" in str(find_fault(build_fact(answer, "r", subject)))


NAMES = st.text(alphabet="abDC東カ1 .,-'\u2019#🎉é", min_size=1, max_size=8)
PROMPTS = st.sampled_from(["{}", "{} of a", "{}s b", "D.{}", "東{}京 a", "The D.C. of {} is", "a-{}"])


@given(NAMES, NAMES, PROMPTS)
@example("C.C", "C", "東{}京 a")
def test_whoever_repeats_the_question_about_a_sound_fact_is_never_right(subject: str, answer: str, prompt: str) -> None:
    fact = build_fact(subject, "r", answer)
    template = PromptTemplate("r", prompt.format("{subject}"), "training", "en")
    relation = Relation("r", "r", "subject", "object", (template,))
    if find_fault(fact) is None:
        assert not contains_answer(subject, fact.answers)
        assert contains_answer(template.fill(subject), fact.answers) == (find_leak(fact, relation) is not None)


def test_an_answer_of_a_prompt_that_reaches_into_the_subject_is_refused() -> None:
    template = PromptTemplate("mother", "Finde {subject}s Mutter:", "training", "de")
    relation = Relation("mother", "mother", "person", "woman", (template,))
    assert find_leak(build_fact("Gene Finley", "mother", "Finleys"), relation)
    assert find_leak(build_fact("Gene Finley", "mother", "Finley's Mutter"), relation) is None


def test_a_part_of_a_word_is_no_fault() -> None:
    assert find_fault(build_fact("Nigeria", "neighbour", "Niger")) is None
    assert find_fault(build_fact("Gene Finley", "mother", "Cody Finley")) is None
