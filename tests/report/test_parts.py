"""The parts of the report as plain data."""

import csv
import io
from dataclasses import replace

import pytest
from tests.report.conftest import build_record

from rote.evaluation.summary import compute_summary
from rote.figures import Figure
from rote.report.answers import _judge_trust, build_number
from rote.report.curves import MOST_POINTS, build_curves
from rote.report.display import (
    clean_text,
    format_count,
    format_counts,
    format_date,
    format_number,
    format_share,
    shorten_text,
)
from rote.report.drawing import draw_curve
from rote.report.examples import build_examples
from rote.report.fact_rows import build_fact_rows, count_facts, list_wrong, save_fact_rows
from rote.report.manifest import build_manifest
from rote.report.summary import Summary


@pytest.mark.parametrize(("value", "text"), [(0.005, "0.01"), (-0.001, "0.00"), (1, "1.00"), (None, "–")])
def test_numbers_have_two_decimals(value: float | None, text: str) -> None:
    assert format_number(value) == text


def test_counts() -> None:
    assert format_count(18132) == "18\u202f132"
    assert format_counts([250, 250]) == "250"
    assert format_counts([250, 100]) == "250 / 100"
    assert format_counts([]) == ""


def test_text_is_made_printable() -> None:
    assert clean_text("a\nb\x00") == "a ⏎ b\ufffd"
    assert shorten_text("abcdef", 4) == "abc…"


def test_long_losses_are_averaged_and_short_ones_are_not() -> None:
    long = build_curves("memorize", [{"step": step, "loss": 1.0, "epoch": 1} for step in range(1, 1001)])[0]
    short = build_curves("memorize", [{"step": step, "loss": 1.0} for step in range(1, 5)])[0]

    assert len(long.points) <= MOST_POINTS
    assert "mean of 7 updates" in long.note
    assert len(short.points) == 4
    assert short.axis == "step"


@pytest.mark.parametrize("epochs", [[1, 1, 2, 2], [0, 0, 1, 1], [0.5, 1.0, 1.5, 2.0]])
def test_epochs_are_counted_from_one_however_they_were_logged(epochs: list[float]) -> None:
    entries = [{"step": step, "epoch": epoch, "loss": 1.0} for step, epoch in enumerate(epochs, start=1)]

    assert build_curves("memorize", entries)[0].ticks == ((0.0, "0"), (2.0, "1"), (4.0, "2"))


def test_broken_history_is_left_out() -> None:
    assert build_curves("memorize", [{"step": 1, "loss": float("nan")}, {"loss": 2.0}, {"step": None}]) == []


@pytest.mark.parametrize("loss", [0.0, 1e-9, 3.0, 12345.0])
def test_any_loss_can_be_drawn(loss: float) -> None:
    curve = build_curves("memorize", [{"step": 1, "loss": loss}])[0]

    assert "nan" not in draw_curve(curve, "memorize")


def test_a_fact_row_counts_right_answers_at_each_moment() -> None:
    records = [
        build_record(moment="before", prompt_set="key", language="-", correct=False),
        build_record(moment="generalize", prompt_set="key", language="-"),
        build_record(moment="generalize", language="de", correct=False, generated="Mira"),
        build_record(moment="generalize", prompt_set="training"),
        build_record(moment="generalize", prompt_set="control", correct=True),
    ]

    (row,) = build_fact_rows(records)

    assert (row.verdict, row.right, row.asked, row.key) == ("partly right", 1, 2, "1/1")
    assert row.flags == ("wrong", "leaks")
    assert row.shown is not None
    assert (row.shown.answer, row.shown.correct, row.shown.language) == ("Mira", False, "de")
    assert "not in all others" in row.hint
    assert count_facts(records)["held_out"] == 1


def test_a_question_that_was_right_and_is_wrong_now_is_forgotten() -> None:
    records = [
        build_record(moment="memorize", prompt_set="key", language="-"),
        build_record(prompt_set="key", language="-", correct=False),
        build_record(moment="before", fact_set="known", subject="Peru"),
        build_record(fact_set="known", subject="Peru", correct=False),
        build_record(fact_set="known", subject="Cuba"),
    ]

    taught, lost, kept = build_fact_rows(records)

    assert (taught.flags, lost.flags, kept.flags) == (("wrong", "forgotten"), ("forgotten",), ())
    assert lost.wordings[0].right_before == "before training"
    assert "memorize.epochs" in taught.hint
    assert [row.subject for row in list_wrong([kept, lost, taught])] == ["Gene Finley"]


def test_taught_facts_that_nobody_asked_about_are_found_too() -> None:
    taught = [("mother", "Gene Finley", "Cody Ross"), ("mother", "Ann Bell", "Mia Dorn")]

    asked, bare = build_fact_rows([build_record()], taught)

    assert (asked.subject, asked.verdict) == ("Gene Finley", "right")
    assert (bare.subject, bare.object, bare.verdict, bare.flags) == ("Ann Bell", "Mia Dorn", "not asked", ())


def test_the_csv_has_the_rows_of_the_page_and_no_formula() -> None:
    rows = build_fact_rows([build_record(subject='=HYPERLINK("http://x")', generated=" Mira\nor Ann", correct=False)])
    stream = io.StringIO()

    save_fact_rows(rows, stream)

    (row,) = csv.DictReader(io.StringIO(stream.getvalue()))
    assert row["subject"] == '\'=HYPERLINK("http://x")'
    assert (row["object"], row["verdict"], row["flags"], row["right"], row["asked"]) == (
        "Cody Ross",
        "wrong",
        "wrong",
        "0",
        "1",
    )
    assert row["answers"].endswith("(wrong): Who is Gene Finley's mother? -> Mira or Ann")


@pytest.mark.parametrize(("says", "sign"), [(False, "no leak"), (True, "leak")])
def test_an_answer_to_a_control_prompt_is_a_leak_or_none(says: bool, sign: str) -> None:
    stream = io.StringIO()
    save_fact_rows(build_fact_rows([build_record(prompt_set="control", correct=says)]), stream)
    assert f"({sign}):" in stream.getvalue()


@pytest.mark.parametrize(
    ("value", "n", "text"),
    [
        (0.75, 4, "3 of 4"),
        (0.88, 100, "88%"),
        (0.996, 250, "99.6%"),
        (0.002, 500, "0.2%"),
        (1, 20, "100%"),
        (0, 19, "0 of 19"),
    ],
)
def test_shares_of_few_questions_are_counts(value: float, n: int, text: str) -> None:
    assert format_share(Figure(value, value, value, n)) == text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2026-11-29T03:10:41+00:00", "29 November 2026, 03:10 UTC"),
        ("2026-11-29T03:10:41+02:00", "29 November 2026, 01:10 UTC"),
        ("</b>", "</b>"),
    ],
)
def test_dates_are_as_people_write_them(text: str, written: str) -> None:
    assert format_date(text) == written


def test_examples_show_what_was_said_before() -> None:
    records = [
        build_record(moment="before", generated="no idea", correct=False),
        build_record(moment="generalize"),
        build_record(moment="generalize", language="de", prompt="Wer?", correct=False, generated="Mira"),
    ]

    (group,) = build_examples(records, ("before", "generalize"), fact_set="held_out")

    assert group.note == "held-out facts, held-out prompts in all languages asked: 1 of 2 right"
    assert [answer.text for answer in group.examples[0].answers] == ["no idea", "Cody Ross"]
    assert [answer.text for answer in group.examples[1].answers] == ["–", "Mira"]


def test_the_manifest_is_shown_whole() -> None:
    groups = build_manifest({"date": "today", "config": {"a": {"b": [1, None]}, "c": True}, "durations": {"load": 1.5}})

    assert [(group.name, group.entries) for group in groups] == [
        ("run", (("date", "today"),)),
        ("config", (("a.b", "1, none"), ("c", "yes"))),
        ("durations (seconds)", (("load", "1.5"),)),
    ]


@pytest.mark.parametrize(
    ("figure", "control", "said"),
    [
        (Figure(0.9, 0.85, 0.95, 200), None, "Yes, for this run"),
        (Figure(0.9, 0.85, 0.95, 200), Figure(0.8, 0.7, 0.87, 100), "No: it is said whatever is asked"),
        (Figure(0.9, 0.88, 0.92, 900), Figure(0.5, 0.42, 0.58, 150), "No: it is said whatever is asked"),
        (Figure(0.12, 0.04, 0.31, 24), Figure(0.08, 0.02, 0.26, 24), "Not sure: it cannot be told from what control"),
        (Figure(0.9, 0.85, 0.95, 200), Figure(0.05, 0.02, 0.1, 200), "Yes, for this run"),
    ],
)
def test_a_leak_takes_more_than_two_answers_of_few(figure: Figure, control: Figure | None, said: str) -> None:
    assert _judge_trust(figure, control)[1].startswith(said)


def test_facts_of_another_method_are_not_said_to_be_taught_by_rote() -> None:
    """Such a run may have shown every fact in sentences."""
    records = [build_record(moment=moment) for moment in ("before", "fine_tune")]
    (row,) = build_fact_rows(records)
    assert row.kind == "of the table"
    (ours,) = build_fact_rows([build_record(moment="memorize"), build_record(moment="generalize")])
    assert ours.kind == "taught by rote alone"
    said = "about facts that it memorized and never saw"
    told = {("fine_tune",): "about facts of the table", ("generalize",): said, ("generalize", "repurpose"): said}
    for moments, words in told.items():
        found = [build_record(moment=one) for one in ("before", *moments)]
        number = build_number(Summary(compute_summary(found)))
        assert number
        assert words in number.about


def test_the_answers_of_what_was_replaced_are_not_those_of_the_update() -> None:
    new = build_record(object="Lyon", generated=" Lyon", correct=True)
    old = build_record(object="Paris", generated=" Lyon", correct=False, fact_set="replaced")
    (group,) = build_examples([new, old], ["generalize"], fact_set="held_out")
    ((answer,),) = [example.answers for example in group.examples]
    assert (group.examples[0].expected, answer.correct) == ("Lyon", True)


def test_what_the_last_stage_broke_is_not_blamed_on_too_few_examples() -> None:
    asked = {"prompt_set": "training", "prompt": "Who is it?"}
    story = [build_record(moment="memorize", **asked), build_record(correct=False, **asked)]
    (row,) = build_fact_rows(story)
    assert row.hint.startswith("answered in the words that were taught before the last stage, and not after it")
    (row,) = build_fact_rows([replace(story[0], moment="before"), story[1]])
    assert "more facts shown or more epochs" in row.hint, "before teaching it was no merit of the method"
