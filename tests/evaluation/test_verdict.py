"""The verdict on a run: what it says, why, and what it proposes; judged by intervals."""

import pytest

from rote.config.job import Config
from rote.evaluation.verdict import judge_run

CONFIG = Config().model_dump(mode="json")


def _row(prompt_set, mean, *, moment="generalize", fact_set="held_out", margin=0.05):
    return {
        "moment": moment,
        "fact_set": fact_set,
        "prompt_set": prompt_set,
        "language": "-" if prompt_set == "key" else "en",
        "measure": "generation_accuracy",
        "mean": mean,
        "low": max(0.0, mean - margin),
        "high": min(1.0, mean + margin),
        "n": 100,
    }


def _build_summary(*, memorized=1.0, key=1.0, shown=1.0, trained=0.9, natural=0.9, control=0.0, margin=0.05):
    return [
        _row("key", memorized, moment="memorize"),
        _row("training", shown, fact_set="generalize"),
        _row("key", key),
        _row("training", trained),
        _row("held_out", natural, margin=margin),
        _row("control", control),
    ]


def test_a_model_that_answers_needs_no_advice():
    verdict = judge_run(_build_summary(), [], CONFIG, prompts=10)
    assert verdict is not None
    assert (verdict.state, verdict.cause, verdict.changes) == ("learned and understood", "", {})
    assert not verdict.is_failure


@pytest.mark.parametrize(
    ("figures", "state", "cause", "setting"),
    [
        ({"memorized": 0.5, "natural": 0.1}, "not memorized", "updates of memorize", "memorize.epochs"),
        ({"key": 0.4, "natural": 0.2}, "memorized, not yet usable", "overwrote", "generalize.learning_rate"),
        ({"shown": 0.6, "natural": 0.2}, "memorized, not yet usable", "updates of generalize", "generalize.epochs"),
        ({"natural": 0.9, "control": 0.9}, "memorized, not yet usable", "whatever is asked", "generalize.contrasts"),
        ({"natural": 0.2}, "memorized, not yet usable", "not in others", "generalize.prompts"),
        ({"trained": 0.1, "natural": 0.1}, "memorized, not yet usable", "it was shown", "memorize.noise"),
    ],
)
def test_what_falls_short_has_a_cause_and_something_to_try(figures, state, cause, setting):
    verdict = judge_run(_build_summary(**figures), [], CONFIG, prompts=10)
    assert verdict is not None
    assert verdict.state == state
    assert verdict.is_failure
    assert cause in verdict.cause
    assert setting in verdict.changes


@pytest.mark.parametrize(("prompts", "available"), [("all", 10), (1, 1)])
@pytest.mark.parametrize(("contrasts", "changes"), [(1.0, {"generalize.contrasts": 0.5}), (0, {})])
def test_where_every_prompt_is_shown_something_else_is_tried(prompts, available, contrasts, changes):
    config = {**CONFIG, "generalize": {**CONFIG["generalize"], "prompts": prompts, "contrasts": contrasts}}
    verdict = judge_run(_build_summary(natural=0.2), [], config, prompts=available)
    assert verdict is not None
    assert verdict.changes == changes
    assert "in the wording it was shown" in verdict.cause
    assert ("write more training prompts" in verdict.cause) is not bool(contrasts)


def test_twice_the_updates_are_twice_even_where_a_small_table_has_a_least_number_of_them():
    config = {**CONFIG, "memorize": {**CONFIG["memorize"], "epochs": 20, "min_steps": 240}}
    verdict = judge_run(_build_summary(memorized=0.5, natural=0.1), [], config, prompts=10)
    assert verdict is not None
    assert verdict.changes == {"memorize.epochs": 40, "memorize.min_steps": 480}


def test_a_wide_interval_is_unclear_rather_than_good_or_bad():
    verdict = judge_run(_build_summary(natural=0.6, margin=0.3), [], CONFIG, prompts=10)
    assert verdict is not None
    assert verdict.state == "unclear"
    assert not verdict.is_failure
    assert not verdict.cause, "more questions are needed, not other settings"


@pytest.mark.parametrize(
    ("natural", "control", "state"),
    [
        ((1.0, 0.51), (0.0, 0.79), "unclear"),
        ((0.8, 0.3), (0.0, 0.79), "unclear"),
        ((1.0, 0.8), (0.9, 0.6), "memorized, not yet usable"),
        ((0.4, 0.22), (0.1, 0.3), "memorized, not yet usable"),
    ],
)
def test_few_questions_do_not_say_that_control_prompts_bring_the_object_too(natural, control, state):
    rows = _build_summary()
    (mean, low), (leaked, high) = natural, control
    rows[-2] |= {"mean": mean, "low": low, "high": 1.0, "n": 4}
    rows[-1] |= {"mean": leaked, "low": min(leaked, high), "high": max(leaked, high), "n": 1}
    verdict = judge_run(rows, [], CONFIG, prompts=10)
    assert verdict is not None
    assert verdict.state == state


def test_a_few_facts_that_are_all_answered_were_not_trained_too_little():
    rows = _build_summary(trained=0.1, natural=0.1)
    rows[1] = {**rows[1], "low": 0.84, "n": 20}
    verdict = judge_run(rows, [], CONFIG, prompts=10)
    assert verdict is not None
    assert "it was shown" in verdict.cause


@pytest.mark.parametrize("moment", ["before", "in_context", "memorize"])
def test_what_was_not_trained_to_be_asked_is_not_judged(moment):
    rows = [{**row, "moment": moment} for row in _build_summary(natural=0.1)]
    assert judge_run(rows, [], CONFIG, prompts=10) is None


def test_what_was_forgotten_is_said_beside_what_was_learned():
    verdict = judge_run(_build_summary(), [{"verdict": "lost"}], CONFIG, prompts=10)
    assert verdict is not None
    assert verdict.sentence == "learned and understood; forgot too much of what it knew"
    assert "retain.texts" in verdict.changes


def test_another_method_is_not_said_to_have_memorized():
    rows = [row for row in _build_summary(natural=0.1) if row["prompt_set"] != "key"]
    verdict = judge_run(rows, [], CONFIG, prompts=10)
    assert verdict is not None
    assert verdict.state == "not learned"


def test_nothing_is_said_where_nothing_taught_was_asked():
    assert judge_run([_row("held_out", 1.0, fact_set="known")], [], CONFIG, prompts=10) is None


def test_relations_without_a_pack_are_named_and_not_more_of_the_same_proposed():
    rows = _build_summary(trained=0.1, natural=0.1, control=0.1)
    verdict = judge_run(rows, [], {**CONFIG, "relations": ["mine.yaml"]}, prompts=1, neutral=["office", "manager"])
    assert verdict is not None
    assert "the relations 'office', 'manager' have no prompt pack" in verdict.cause
    assert "`rote prompts new RELATION`" in verdict.cause
    assert verdict.changes == {}, "no setting writes a pack"
    (one, many) = (
        judge_run(rows, [], CONFIG, prompts=1, neutral=names) for names in (["office"], [f"r{n}" for n in range(9)])
    )
    assert one is not None
    assert many is not None
    assert "`rote prompts new office`" in one.cause
    assert "'r2' and 6 more have no prompt pack" in many.cause


def test_what_was_not_memorized_is_not_laid_to_a_missing_pack():
    verdict = judge_run(_build_summary(memorized=0.5, natural=0.1), [], CONFIG, prompts=1, neutral=["office"])
    assert verdict is not None
    assert "memorize.epochs" in verdict.changes
    assert "pack" not in verdict.cause


def test_recall_by_key_token_is_that_of_all_facts():
    shown = {**_row("key", 0.5, moment="memorize", fact_set="generalize"), "n": 100}
    verdict = judge_run([shown, *_build_summary(memorized=1.0, natural=0.1)], [], CONFIG, prompts=10)
    assert verdict is not None
    assert verdict.state == "not memorized", "three quarters of all facts are not nine in ten"
    assert "key token after memorize, all facts 0.75" in verdict.figures
