from collections import Counter

import pytest

from rote.errors import TemplateError
from rote.evaluation.questions import QuestionPlan, build_questions
from rote.facts.fact import Fact, build_fact
from rote.facts.relation import Relation

PLAN = QuestionPlan(
    key_tokens={"mother": "[X1]"},
    training_prompts=2,
    languages=("en", "zh"),
    held_out_prompts=2,
    control_prompts=1,
    choices=10_000,
    seed=3,
)


def test_every_kind_of_question_is_asked_as_often_as_planned(facts: list[Fact], relations: dict[str, Relation]) -> None:
    questions = build_questions({"generalize": facts[:2], "known": facts[2:3]}, relations, plan=PLAN)
    assert Counter((q.fact.subject, q.fact_set, q.prompt_set, q.language) for q in questions) == {
        **{
            (subject, "generalize", *kind): count
            for subject in ("Child 0", "Child 1")
            for kind, count in {
                ("key", "-"): 1,
                ("training", "en"): 2,
                ("held_out", "en"): 2,
                ("held_out", "zh"): 2,
                ("control", "en"): 1,
                ("control", "zh"): 1,
            }.items()
        },
        ("Child 2", "known", "training", "en"): 2,
        ("Child 2", "known", "held_out", "en"): 2,
        ("Child 2", "known", "held_out", "zh"): 2,
    }
    assert questions[0].text.prompt == "Child 0 [X1]"
    assert questions[1].text.prompt == "English 0, Child 0's mother is"


def test_questions_depend_on_the_seed_and_on_nothing_else(facts: list[Fact], relations: dict[str, Relation]) -> None:
    def ask(seed: int) -> list[str]:
        plan = QuestionPlan(languages=("en", "zh"), held_out_prompts=1, seed=seed)
        return [q.text.prompt for q in build_questions({"held_out": facts}, relations, plan=plan)]

    assert ask(1) == ask(1)
    assert ask(1) != ask(2)
    alone = build_questions({"held_out": facts[4:5]}, relations, plan=QuestionPlan(held_out_prompts=1, seed=1))
    assert {q.text.prompt for q in alone} < set(ask(1))


def test_all_prompts_are_used_over_many_facts(relations: dict[str, Relation]) -> None:
    many = [build_fact(f"Child {number}", "mother", f"Mother {number}") for number in range(40)]
    questions = build_questions({"held_out": many}, relations, plan=QuestionPlan(held_out_prompts=1))
    used = Counter(q.text.prompt[:6] for q in questions if q.prompt_set == "held_out")
    assert sorted(used) == ["Held 0", "Held 1", "Held 2", "Held 3"]
    assert sum(used.values()) == 40


def test_zero_stands_for_all_and_a_fact_given_twice_is_asked_once(
    facts: list[Fact], relations: dict[str, Relation]
) -> None:
    plan = QuestionPlan(training_prompts=3, held_out_prompts=0, control_prompts=0)
    questions = build_questions({"held_out": [facts[0], facts[0]]}, relations, plan=plan)
    assert len(questions) == 3 + 4 + 2
    assert len(set(questions)) == len(questions)
    assert not [q for q in questions if q.prompt_set == "key"]


def test_candidates_hold_the_object_once_and_no_other_right_answer(
    facts: list[Fact], relations: dict[str, Relation]
) -> None:
    questions = build_questions({"held_out": facts, "unseen": facts[:1]}, relations, plan=PLAN)
    for question in questions:
        if question.fact_set == "unseen":
            assert question.candidates is None
            continue
        assert question.candidates is not None
        assert question.candidates.count(question.fact.object) == 1
        assert len(set(question.candidates)) == len(question.candidates) > 1
    first = {q.candidates for q in questions if q.fact == facts[0] and q.fact_set == "held_out"}
    assert len(first) == 1, "a fact has the same candidates in every prompt"
    assert "Cody Rossini" not in (first.pop() or ()), "it contains the right answer"


def test_choices_are_spread_over_all_kinds_of_questions(facts: list[Fact], relations: dict[str, Relation]) -> None:
    sets = {"generalize": facts[:4], "held_out": facts[4:], "known": facts[:2]}
    everything = build_questions(sets, relations, plan=PLAN)  # type: ignore[arg-type]
    plan = QuestionPlan(**{**vars(PLAN), "choices": 24})
    chosen = [q for q in build_questions(sets, relations, plan=plan) if q.candidates]  # type: ignore[arg-type]
    assert len(chosen) == 24
    kinds = {(q.fact_set, q.prompt_set, q.language) for q in everything if q.fact_set != "known"}
    assert {(q.fact_set, q.prompt_set, q.language) for q in chosen} == kinds
    assert {q.fact for q in chosen} == set(facts)


def test_a_fact_without_distractors_is_no_choice(facts: list[Fact], relations: dict[str, Relation]) -> None:
    assert {q.candidates for q in build_questions({"held_out": facts[:1]}, relations, plan=PLAN)} == {None}


def test_a_relation_without_prompts_is_named() -> None:
    with pytest.raises(TemplateError, match="'spouse'"):
        build_questions({"held_out": [build_fact("A", "spouse", "B")]}, {}, plan=PLAN)
