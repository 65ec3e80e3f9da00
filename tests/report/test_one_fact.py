"""All that a run's records say of one fact."""

from dataclasses import replace

import pytest

from rote.errors import RunError
from rote.facts.fact import build_fact
from rote.records import Record
from rote.report.one_fact import tell_fact

OTHERS = [build_fact("Ann Bell", "mother", "Mia Dorn"), build_fact("Ann Bell", "pet", "Rex")]


def record(prompt_set: str, moment: str, generated: str, *, prompt: str = "", language: str = "en") -> Record:
    return Record(
        moment=moment,
        fact_set="held_out",
        prompt_set=prompt_set,  # type: ignore[arg-type]
        language=language,
        relation="mother",
        subject="Gene Finley",
        object="Cody Ross",
        prompt=prompt or f"{prompt_set}?",
        generated=generated,
        correct="Cody Ross" in generated,
        object_logprobs=(),
        object_probability=None,
        rank=None,
        candidates=None,
    )


RIGHT = [record(name, "generalize", "Cody Ross") for name in ("key", "training", "held_out")]


def test_wordings_stand_with_what_was_said_at_each_moment() -> None:
    early = record("training", "before", "no idea")
    story = tell_fact([*RIGHT, early], "Gene  Finley", "mother", OTHERS)
    assert story.moments == ("before", "generalize")
    assert [(wording.prompt_set, wording.prompt) for wording in story.wordings] == [
        ("key", "key?"),
        ("training", "training?"),
        ("held_out", "held_out?"),
    ]
    assert story.wordings[1].records == {"before": early, "generalize": RIGHT[1]}
    assert story.wordings[0].records == {"generalize": RIGHT[0]}


def test_the_object_of_another_fact_of_the_relation_is_a_confusion() -> None:
    wrong = record("held_out", "generalize", "It is Mia Dorn, with Rex", prompt="Who bore Gene Finley?")
    control = record("control", "generalize", "Mia Dorn")
    early = record("training", "before", "Mia Dorn")
    story = tell_fact([*RIGHT[:2], wrong, control, early], "Gene Finley", "mother", OTHERS)
    assert story.confusions == ("Mia Dorn, which is that of Ann Bell: Who bore Gene Finley?",)


def test_of_many_facts_with_one_object_a_few_are_named() -> None:
    many = [build_fact(f"Person {number}", "mother", "Mia Dorn") for number in range(500)]
    story = tell_fact([record("held_out", "generalize", "Mia Dorn")], "Gene Finley", "mother", many)
    assert story.confusions == ("Mia Dorn, which is that of Person 0, Person 1, Person 2 and 497 others: held_out?",)


def test_what_a_fact_replaced_is_no_part_of_its_story() -> None:
    old = [replace(found, fact_set="replaced", object="Old Name", correct=False) for found in RIGHT]
    story = tell_fact([*RIGHT, *old], "Gene Finley", "mother", OTHERS)
    assert story.object == "Cody Ross"
    assert "nothing to mend" in story.advice


@pytest.mark.parametrize(
    ("wrong", "advice"),
    [
        ("key", "memorize.epochs"),
        ("training", "generalize.epochs"),
        ("held_out", "generalize.prompts=all"),
        ("", "nothing to mend"),
    ],
)
def test_what_to_try_follows_from_the_first_thing_that_fails(wrong: str, advice: str) -> None:
    said = [replace(found, correct=found.prompt_set != wrong) for found in RIGHT]
    assert advice in tell_fact(said, "Gene Finley", "mother", OTHERS).advice


def test_one_wrong_wording_of_several_is_enough() -> None:
    for prompt_set, advice in (("training", "generalize.epochs"), ("chat", "generalize.prompts=all")):
        wrong = record(prompt_set, "generalize", "nobody", prompt="Another wording?")
        assert advice in tell_fact([*RIGHT, wrong], "Gene Finley", "mother", OTHERS).advice


def test_nothing_is_claimed_that_was_not_measured() -> None:
    by_words = [record("training", "generalize", "nobody")]
    assert "whether it is memorized was not measured" in tell_fact(by_words, "Gene Finley", "mother", OTHERS).advice
    known = [replace(found, fact_set="known", correct=False) for found in RIGHT]
    assert "was not taught here" in tell_fact(known, "Gene Finley", "mother", OTHERS).advice
    gone = [record("training", "memorize", "nobody"), replace(RIGHT[0], subject="Ann Bell")]
    assert "was not asked about at the end" in tell_fact(gone, "Gene Finley", "mother", OTHERS).advice


def test_control_prompts_that_bring_it_are_told_last() -> None:
    story = tell_fact([*RIGHT, record("control", "generalize", "Cody Ross")], "Gene Finley", "mother", OTHERS)
    assert "generalize.contrasts" in story.advice


def test_what_was_not_asked_about_names_the_nearest() -> None:
    with pytest.raises(RunError, match="the nearest subject is 'Gene Finley'"):
        tell_fact(RIGHT, "Gene Finlay", "mother", OTHERS)
    with pytest.raises(RunError, match="it was asked about: mother"):
        tell_fact(RIGHT, "Gene Finley", "pet", OTHERS)
