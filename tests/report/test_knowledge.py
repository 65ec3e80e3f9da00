"""The lines of the two tables, and the model card."""

from typing import Any

import yaml

from rote.report.card import render_card
from rote.report.knowledge import build_knowledge, build_rings

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
    "before": 1.0,
    "after": 0.75,
    "loss": 0.25,
    "low": 0.125,
    "high": 0.375,
    "n": 8,
    "budget": 0.02,
    "verdict": "lost",
}


def test_moments_stand_beside_each_other() -> None:
    rows = [ROW, {**ROW, "moment": "generalize", "mean": 0.25}, {**ROW, "prompt_set": "control"}]
    ((title, lines),) = build_knowledge(rows)
    assert title.startswith("conflicting")
    (line,) = lines
    assert (line.prompts, line.measure) == ("Held-out prompts, Japanese", "old answer")
    assert (line.before, line.after, line.count) == ("0.75 [0.10, 0.90]", "0.25 [0.10, 0.90]", "4")


def test_what_was_not_asked_is_a_dash() -> None:
    ((_, lines),) = build_knowledge([{**ROW, "moment": "generalize"}])
    assert lines[0].before == "–"
    assert build_knowledge([]) == []


def test_a_loss_of_accuracy_is_a_change_downwards_and_one_of_text_upwards() -> None:
    accuracy, text = build_rings([RING, {**RING, "ring": "text", "verdict": "kept"}])
    assert (accuracy.loss, accuracy.interval, accuracy.verdict) == ("-0.250", "[-0.375, -0.125]", "✗ lost")
    assert (text.loss, text.interval, text.verdict) == ("+0.250", "[+0.125, +0.375]", "✓ kept")


def test_a_card_holds_hostile_names() -> None:
    manifest = {
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
    assert "then 5 of them behind 1 prompt(s)" in card
    assert "| held-out facts | Held-out prompts, Japanese | 0.75 [0.10, 0.90] |" in card
    assert "9 answers the same, logits differ by 2.0e-06 at most" in card
    assert "| same subject | 1.00 | 0.75 | lost |" in card
