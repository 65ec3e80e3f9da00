"""The lines of the plain tables, and the model card."""

from dataclasses import replace
from typing import Any

import pytest
import yaml
from tests.report.conftest import build_record
from tests.report.test_render import Page

from rote.evaluation.summary import compute_by_relation
from rote.report.card import render_card
from rote.report.lines import (
    build_changes,
    build_comparison,
    build_knowledge,
    build_relations,
    build_rings,
    describe_loss,
)
from rote.report.render import ReportContent, render_report

SHARED: dict[str, Any] = {"low": 0.1, "high": 0.9, "n": 4}
ROW: dict[str, Any] = {
    "label": "conflicting",
    "moment": "before",
    "prompt_set": "held_out",
    "language": "ja",
    "measure": "old_answer",
    "mean": 0.75,
    **SHARED,
}
RING: dict[str, Any] = {
    "ring": "same subject",
    "measure": "generation_accuracy",
    "loss": 0.25,
    "low": 0.125,
    "high": 0.375,
    "n": 8,
    "budget": 0.02,
    "verdict": "lost",
    "known": 6,
    "few": True,
    "won": {"mean": 0.0625, "low": 0.02, "high": 0.2, "n": 16},
}
CHANGE: dict[str, Any] = {
    **{key: RING[key] for key in ("loss", "low", "high", "n", "budget", "verdict")},
    "ring": "lm-eval: truth",
    "measure": "bleu_max",
    "before": 37.5,
    "after": 37.25,
}


def test_moments_stand_beside_each_other() -> None:
    rows = [ROW, {**ROW, "moment": "generalize", "mean": 0.25}, {**ROW, "prompt_set": "control"}]
    ((title, lines),) = build_knowledge(rows)
    assert title.startswith("conflicting")
    (line,) = lines
    assert (line.prompts, line.measure) == ("Held-out prompts, Japanese", "old answer")
    assert (line.before, line.after, line.count) == ("3 of 4", "1 of 4", "4")


def test_what_was_not_asked_is_a_dash() -> None:
    ((_, lines),) = build_knowledge([{**ROW, "moment": "generalize"}])
    assert lines[0].before == "–"
    assert build_knowledge([]) == []


def test_lost_and_won_stand_apart_and_few_facts_are_named() -> None:
    (line,) = build_rings([RING, CHANGE])
    assert (line.known, line.lost, line.verdict) == ("6 (few)", "2 of 8", "✗ lost")
    assert (line.won, line.tone) == ("1 of 16", "bad")
    (bare,) = build_rings([{**RING, "known": 400, "few": False, "won": None}])
    assert (bare.known, bare.won) == ("400", "–")
    (nothing,) = build_rings([{**RING, "known": 0, "n": 0, "loss": 0.0, "low": 0.0, "high": 1.0, "verdict": "unclear"}])
    assert (nothing.lost, nothing.verdict) == ("–", "~ unclear")


@pytest.mark.parametrize(("loss", "verdict", "tone"), [(0.09, "unclear", "unsure"), (0.001, "kept", "good")])
def test_a_fall_beyond_the_budget_is_shown_as_one(loss: float, verdict: str, tone: str) -> None:
    row = {**RING, "loss": loss, "low": 0.0, "high": 0.2, "n": 100, "verdict": verdict}
    (line,) = build_rings([row])
    assert (line.lost, line.tone) == (f"{loss:.0%} [0%, 20%]" if loss > 0.01 else "0.1% [0%, 20%]", tone)
    page = Page(render_report(ReportContent("t", "facts.csv", "m", summary=[], side_effects=[row])))
    assert ("class", f"t-{tone}") in page.attributes


def test_a_loss_of_a_metric_is_a_change_downwards_and_one_of_text_upwards() -> None:
    task, text = build_changes([RING, CHANGE, {**CHANGE, "ring": "text", "verdict": "kept"}])
    assert (task.name, task.before, task.after) == ("lm-eval: truth, bleu_max", "37.50", "37.25")
    assert (task.change, task.verdict) == ("-0.250 [-0.375, -0.125]", "✗ lost")
    assert (text.change, text.verdict) == ("+0.250 [+0.125, +0.375]", "✓ kept")


def test_a_terminal_line_says_what_was_lost_of_how_much() -> None:
    assert describe_loss(RING) == (
        "same subject",
        "lost 0.250 [0.125, 0.375] of 6 known facts, which are few: lost, won 0.062 [0.020, 0.200] of the others",
    )
    assert describe_loss(CHANGE)[1] == "37.50 -> 37.25, worse by 0.250 [0.125, 0.375]: lost"


def test_the_page_has_both_tables_and_the_headline_what_was_lost() -> None:
    summary = [{**ROW, "fact_set": "held_out", "measure": "generation_accuracy"}]
    content = ReportContent("t", "facts.csv", "m", summary=summary, side_effects=[RING, CHANGE])
    text = " ".join(" ".join(Page(render_report(content)).text).split())
    assert (
        "Other facts about the subjects that were taught (6 known before, 8 questions, which are few): 2 of 8 lost"
        in text
    )
    for part in ("Lost: the share", "Won: the share", "locality", "6 (few)", "✗ lost", "lm-eval: truth, bleu_max"):
        assert part in text


def test_a_card_holds_hostile_names() -> None:
    manifest: dict[str, Any] = {
        "table": {"name": "a|b <script>\n---", "hash": "abc"},
        "model": {"name": "org/name", "hash": "def"},
        "config": {
            "generalize": {"facts": 5, "prompts": 1},
            "tuning": "full",
            "key_strategy": "new",
        },
        "facts": 9,
        "generalize_facts": 5,
        "labels": {"unknown": 3, "conflicting": 1},
        "seed": 0,
        "saved": {"model": {"prompts": 9, "max_logit_difference": 2e-6}},
    }
    summary = [{**ROW, "fact_set": "held_out", "measure": "generation_accuracy"}]
    card = render_card(manifest, summary, [RING], library="peft")
    header = yaml.safe_load(card.split("---\n")[1])
    assert (header["base_model"], header["library_name"]) == ("org/name", "peft")
    assert "<script>" not in card
    assert "a\\|b" in card
    assert "9 facts were taught" in card
    assert "Of 4 of these facts that were asked about before teaching: 3 unknown, 1 conflicting." in card
    assert "then 5 of them behind 1 training prompt(s) each" in card
    other = {**manifest, "config": {**manifest["config"], "method": "fine_tuning"}}
    said = render_card(other, summary, [RING], library="peft")
    assert "9 facts, by the method fine_tuning." in said
    assert "memorize-then-generalize" not in said
    assert "| held-out facts | Held-out prompts, Japanese | 0.75 [0.10, 0.90] |" in card
    assert "9 answers the same, logits differ by 2.0e-06 at most" in card
    assert "- same subject: lost 0.250 [0.125, 0.375] of 6 known facts, which are few: lost, won 0.062" in card


RECORD = build_record(moment="before", correct=False)
LEARNED = replace(RECORD, moment="generalize", correct=True)
BY_KEY = replace(LEARNED, prompt_set="key", language="-")
FORGOTTEN = replace(RECORD, moment="generalize", relation="<b>author")


def test_a_relation_that_was_not_learned_stands_beside_one_that_was() -> None:
    rows = compute_by_relation([RECORD, LEARNED, BY_KEY, replace(RECORD, relation="<b>author"), FORGOTTEN])
    author, mother = build_relations(rows)
    assert (author.name, author.key) == ("<b>author", "–")
    assert (author.before, author.after, author.count) == ("0 of 1", "0 of 1", "1")
    assert (mother.key, mother.before, mother.after) == ("1 of 1", "0 of 1", "1 of 1")
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


def test_methods_stand_below_one_another_for_each_kind_of_question() -> None:
    figure = {"mean": 0.5, "low": 0.25, "high": 0.75, "n": 8}
    difference = {"mean": -0.5, "low": -0.75, "high": -0.25, "n": 8}
    comparison = {
        "methods": [{"name": "ours", "training_tokens": 7617}, {"name": "<b>", "training_tokens": 0}],
        "rows": [
            {"questions": "key token", "method": "ours", **figure, "difference": None},
            {"questions": "training prompt (en)", "method": "ours", **figure, "difference": None},
            {"questions": "training prompt (en)", "method": "<b>", **figure, "difference": difference},
        ],
    }
    tokens, key, prompt = build_comparison(comparison)
    assert [line.figure for line in tokens[1]] == ["7\u202f617", "0"]
    assert (key[0], [line.method for line in key[1]]) == ("key token", ["ours"])
    assert [line.difference for line in prompt[1]] == ["", "-0.50 [-0.75, -0.25]"]


def test_a_card_tells_the_hub_what_it_is_and_what_was_measured() -> None:
    """The hub's own reader finds each figure under its name."""
    from huggingface_hub import ModelCard

    manifest = {
        "table": {"name": "facts --- <b>.csv", "hash": "abc"},
        "model": {"name": "org/name", "hash": "def"},
        "config": {"generalize": {"facts": 5, "prompts": 1}, "tuning": "full", "key_strategy": "new"},
        "facts": 9,
        "generalize_facts": 5,
        "labels": {},
        "seed": 0,
    }
    row = {**ROW, "moment": "generalize", "fact_set": "held_out", "measure": "generation_accuracy"}
    before = {**row, "moment": "before", "mean": 0.1}
    licence = {"license": "other", "license_name": "mine", "license_link": "https://a/b"}
    text = render_card(manifest, [before, row], [], library="transformers", licence=licence)
    card: Any = ModelCard(text).data
    assert (card.license, card.license_name, card.license_link) == ("other", "mine", "https://a/b")
    assert (card.language, card.pipeline_tag, card.datasets) == (["ja"], "text-generation", ["facts-b-.csv"])
    (result,) = card.eval_results
    assert (result.metric_type, result.metric_value) == ("accuracy", ROW["mean"]), "at the end alone"
    assert result.metric_name == "generation accuracy, held-out facts, Held-out prompts, Japanese"
    assert result.metric_args == {"low": ROW["low"], "high": ROW["high"], "questions": ROW["n"]}
    assert "license" not in ModelCard(render_card(manifest, [row], [], library="peft")).data.to_dict()
