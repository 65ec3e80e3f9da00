"""The relations of a table side by side."""

from dataclasses import replace

from tests.report.conftest import build_record

from rote.evaluation.summary import compute_by_relation
from rote.report.by_relation import build_relations
from rote.report.content import ReportContent
from rote.report.render import render_report

RECORD = build_record(moment="before", correct=False)
LEARNED = replace(RECORD, moment="generalize", correct=True)
BY_KEY = replace(LEARNED, prompt_set="key", language="-")
FORGOTTEN = replace(RECORD, moment="generalize", relation="<b>author")


def test_a_relation_that_was_not_learned_stands_beside_one_that_was() -> None:
    rows = compute_by_relation([RECORD, LEARNED, BY_KEY, replace(RECORD, relation="<b>author"), FORGOTTEN])
    author, mother = build_relations(rows)
    assert (author.name, author.key) == ("<b>author", "–")
    assert (author.before[:4], author.after[:4], author.count) == ("0.00", "0.00", "1")
    assert (mother.key[:4], mother.before[:4], mother.after[:4]) == ("1.00", "0.00", "1.00")
    page = render_report(ReportContent("t", "facts.csv", "m", relations=rows, summary=rows["mother"]))
    assert "Relation by relation" in page
    assert "<b>author" not in page


def test_a_single_relation_is_the_whole() -> None:
    assert build_relations(compute_by_relation([RECORD, LEARNED])) == []


def test_of_a_relation_without_held_out_facts_those_shown_again_stand_there() -> None:
    shown = replace(RECORD, relation="capital", fact_set="generalize", prompt_set="training")
    known = replace(RECORD, relation="currency", fact_set="known")
    lines = build_relations(compute_by_relation([RECORD, shown, known]))
    assert [(line.name, line.questions) for line in lines] == [
        ("capital", "generalize facts, training prompts, English"),
        ("mother", "held-out facts, held-out prompts, English"),
    ]
