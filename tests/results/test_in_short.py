"""The plain claims that the results open with."""

from typing import Any

import pytest

from rote.experiments.claims import ClaimRow
from rote.experiments.experiment import list_experiments
from rote.results import in_short
from rote.results.entries import Entry
from rote.results.in_short import load_plain_claims, write_in_short

PLAIN = {"b": "Bread rises", "a": "Apples fall"}


@pytest.fixture(autouse=True)
def _say_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_short, "load_plain_claims", lambda: PLAIN)


def build_entry(model: str, *rows: dict[str, Any]) -> Entry:
    claims = [build_claim(model=model, **row) for row in rows]
    return Entry("e", "E", "d", "c", model, 2, "code", tables=(), claims=claims)


def build_claim(**said: Any) -> ClaimRow:
    texts = dict.fromkeys(("text", "paper", "made_of", "why", "basis", "cause"), "")
    rest = {"experiment": "e", "bound": ">= 0.5", "low": 0.1, "high": 0.9, "seeds": 1, "n": 20, "stale": False}
    return ClaimRow(**{**texts, **rest, **said})  # type: ignore[typeddict-item]


def test_a_line_says_what_was_found_on_each_model_and_why_it_fails() -> None:
    good = {"claim": "a", "ours": 0.953, "verdict": "holds"}
    open_, bad = (
        {**good, "verdict": "open"},
        {"claim": "b", "ours": -0.55, "made_of": "0.300 - 0.850", "basis": "measured", "cause": "of yeast"},
    )
    ours = build_entry("rote-tiny", good, {**bad, "verdict": "does not hold"})
    lines = write_in_short([ours, build_entry("another", open_)])
    assert [(line.lead, line.text) for line in lines[1:]] == [
        (
            "Holds on some, open on others",
            "Apples fall; wanted >= 0.5: 0.95 on rote-tiny (holds), 0.95 on another (open, 20 questions).",
        ),
        (
            "Holds on none",
            "Bread rises; wanted a difference >= 0.5: 0.30 against 0.85 on rote-tiny (fails). "
            "It fails because of yeast.",
        ),
    ]


def test_a_cause_is_told_of_the_models_it_was_found_on_and_as_surely() -> None:
    bad = {"claim": "b", "ours": 0.1, "verdict": "does not hold", "cause": "of yeast"}
    rows = {"one": {**bad, "basis": "probable"}, "two": {**bad, "cause": ""}}
    _, line = write_in_short([build_entry(model, row) for model, row in rows.items()])
    assert line.text.endswith(" It fails on one probably because of yeast.")
    both = [build_entry(model, {**bad, "basis": basis}) for model, basis in (("one", "probable"), ("two", "measured"))]
    _, line = write_in_short(both)
    assert line.text.endswith(" It fails on two and probably on one because of yeast.")


def test_a_claim_of_too_few_questions_to_hold_is_said_to_be_one() -> None:
    row = {"claim": "a", "ours": 1.0, "verdict": "open", "bound": ">= 0.85"}
    _, line = write_in_short([build_entry("few", {**row, "n": 20}), build_entry("more", {**row, "n": 22})])
    assert line.text == (
        "Apples fall; wanted >= 0.85: 1.00 on few (open, 20 questions, too few to hold), "
        "1.00 on more (open, 22 questions)."
    )
    _, line = write_in_short([build_entry("few", {**row, "n": 30, "bound": "<= 0.05"})])
    assert line.text.endswith("too few to hold).")


def test_claims_are_counted_by_model() -> None:
    good = {"claim": "a", "ours": 0.9, "verdict": "holds"}
    rest = [{**good, "claim": "b", "verdict": "open"}, {**good, "claim": "c", "verdict": "open", "n": 100, "seeds": 3}]
    first, *_ = write_in_short([build_entry("rote-tiny", good, *rest), build_entry("another", {**good, "stale": True})])
    few = "1 to 3 seeds each, 1 of the open ones on fewer than 50 questions"
    assert first.text == (
        f"Of 3 on rote-tiny 1 hold, 2 are open, 0 fail ({few}); "
        "of 1 on another 1 hold, 0 are open, 0 fail (1 seed each, 1 stale)."
    )


def test_what_is_said_plainly_is_declared() -> None:
    declared = {claim.name for experiment in list_experiments().values() for claim in experiment.claims}
    assert set(load_plain_claims()) <= declared
