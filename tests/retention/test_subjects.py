"""What the embedded model says about subjects whose facts are updated, and what of it is held."""

from itertools import permutations, product

import pytest

from rote.facts.counterfactual import swap_world
from rote.facts.names import contains_answer
from rote.facts.relation import Relation, choose_packs
from rote.facts.shipped import load_world
from rote.models.loading import load_model
from rote.retention.subjects import Asking, answer_about_subjects, list_others

WORDINGS = 3
UPDATES = swap_world(count=8, seed=0)
SUBJECTS = {fact.subject for fact in UPDATES}
WORLD = load_world()
PACKS = choose_packs(UPDATES, ())


def list_prompts(subject: str, relations: list[Relation]) -> tuple[str, ...]:
    return tuple(template.fill(subject) for relation in relations for template in relation.select_training(WORDINGS))


@pytest.fixture(scope="module")
def held() -> list[str]:
    return answer_about_subjects(load_model(), UPDATES, PACKS, Asking(WORDINGS, tokens=16, batch_size=128))


def test_what_else_is_known_of_a_subject_is_held(held: list[str]) -> None:
    asked = [
        text for fact in WORLD for text in held if fact.subject in SUBJECTS and contains_answer(text, fact.answers)
    ]
    assert len(asked) > len(UPDATES)
    for subject in SUBJECTS:
        taught = [fact.relation for fact in UPDATES if fact.subject == subject]
        about = [text for text in held if text.startswith(list_prompts(subject, list_others(PACKS, taught)))]
        assert about, subject
        assert len(about) == len(set(about))
    assert all(text.startswith(list_prompts(subject, list(PACKS.values()))) for text in held for subject in SUBJECTS
               if subject in text)  # fmt: skip


def test_nothing_is_held_of_what_is_updated(held: list[str]) -> None:
    old = {(fact.subject, fact.relation): fact for fact in WORLD}
    for update in UPDATES:
        about = [text for text in held if update.subject in text]
        assert not [text for text in about if text.startswith(list_prompts(update.subject, [PACKS[update.relation]]))]
        assert not [text for text in about if contains_answer(text, old[update.subject, update.relation].answers)]
        assert not [text for text in about if contains_answer(text, SUBJECTS - {update.subject})]


def test_an_answer_is_held_where_it_comes_twice(held: list[str]) -> None:
    answers: dict[tuple[str, str], dict[str, str]] = {}
    for text, subject, relation in product(held, SUBJECTS, PACKS.values()):
        prompt = next((p for p in list_prompts(subject, [relation]) if text.startswith(p)), None)
        if prompt:
            answers.setdefault((subject, relation.name), {})[text] = text.removeprefix(prompt)
    agreeing = {
        text
        for group in answers.values()
        for text, other in permutations(group, 2)
        if contains_answer(group[text], [group[other]]) or contains_answer(group[other], [group[text]])
    }
    assert agreeing == set(held)


def test_a_relation_under_another_name_is_not_asked() -> None:
    names = [relation.name for relation in list_others(PACKS, ["place_of_birth"])]
    assert {"occupation", "educated_at", "genre"} <= set(names)
    assert not {"place_of_birth", "birthplace", "capital", "author"} & set(names)
    assert "original_language" not in [relation.name for relation in list_others(PACKS, ["language_of_work"])]
