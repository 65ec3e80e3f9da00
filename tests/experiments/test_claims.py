"""Verdicts: what a claim is about, and where its bounds lie."""

import json
from typing import Any

import pytest
from tests.experiments.conftest import build_answers, build_job, build_record

from rote.experiments.claims import ClaimRow, compute_claim, format_ours, format_paper, judge_claims
from rote.experiments.experiment import Claim, Column, Experiment, list_causes
from rote.experiments.figures import compute_cells
from rote.runs.store import JobResult

CELL = {"run": "ours", "column": "held-out"}
STATE = {"run": "ours", "moment": "memorize", "measure": "delta_cossim", "prompt_set": "key"}


TOO_SMALL = {"text": "too small", "basis": "measured", "cause": "rote_alone"}


def build_claim(**changes: Any) -> Claim:
    bound = {} if "at_most" in changes else {"at_least": 0.5}
    form = {} if "state" in changes else {"value": CELL}
    return Claim.model_validate({"name": "c", "text": "It works", **bound, **form, **changes})


def build_experiment(*claims: Claim) -> Experiment:
    runs: dict[str, dict[str, Any]] = {name: {} for name in ("ours", "cheap", "dear")}
    columns = (Column(name="held-out", fact_set=("held_out",)), Column(name="known", fact_set=("known",)))
    return Experiment(title="", description="", minutes=1, runs=runs, columns=columns, claims=claims)


# --- what a claim is about -------------------------------------------------------------------------------------------


def test_a_cell_is_judged_with_its_interval() -> None:
    claim = build_claim()
    experiment, jobs = build_experiment(claim), {"ours": [build_answers({"A": [True], "B": [False], "C": [True]})]}
    figure = compute_claim(claim, experiment, jobs)
    cell = compute_cells(experiment.columns, jobs)["ours", "held-out"]
    assert (figure.value, figure.low, figure.high, figure.n) == (cell.value, cell.low, cell.high, 3)


def test_a_difference_is_of_one_column_in_two_runs_or_of_two_columns_in_one() -> None:
    taught = (("A", "held_out"), ("B", "held_out"))
    jobs = {
        "ours": [build_job(*(build_record(s, True, fact_set=f) for s, f in (*taught, ("A", "known"))))],
        "cheap": [build_answers({"A": [True], "B": [False]})],
    }
    runs = build_claim(minus={"run": "cheap", "column": "held-out"})
    assert compute_claim(runs, build_experiment(runs), jobs).value == pytest.approx(0.5)
    columns = build_claim(value={"run": "cheap", "column": "held-out"}, minus={"run": "ours", "column": "known"})
    assert compute_claim(columns, build_experiment(columns), jobs).value == pytest.approx(-0.5)
    with pytest.raises(ValueError, match="no records for this figure"):
        compute_claim(
            missing := build_claim(minus={"run": "cheap", "column": "known"}), build_experiment(missing), jobs
        )


def test_states_are_taken_as_independent() -> None:
    def row(moment: str, value: float, margin: float) -> dict[str, Any]:
        about = {"moment": moment, "measure": "delta_cossim", "prompt_set": "key", "layer": -1}
        return {**about, "figure": {"value": value, "low": value - margin, "high": value + margin, "n": 5}}

    rows = [row("generalize", 0.75, 0.03), row("memorize", 0.5, 0.04)]
    jobs = {"ours": [build_job(representations=rows)]}
    claim = build_claim(state={**STATE, "moment": "generalize"}, minus_state=STATE)
    figure = compute_claim(claim, build_experiment(claim), jobs)
    assert figure.value == pytest.approx(0.25)
    assert figure.high - figure.value == pytest.approx(0.05)
    alone = build_claim(state=STATE)
    assert compute_claim(alone, build_experiment(alone), jobs).value == 0.5
    missing = build_claim(state={**STATE, "moment": "before"})
    with pytest.raises(ValueError, match="no hidden states were compared"):
        compute_claim(missing, build_experiment(missing), jobs)


@pytest.mark.parametrize(
    ("cheap", "dear", "ratio"),
    [
        (4, 4, 2.0),  # both as good: the cheaper one is what ours is held against
        (3, 4, 2.0),  # a little below, but not beyond doubt
        (0, 4, 0.5),  # only the dearer one is as good
        (0, 0, 0.5),  # none is: even the dearest does not reach it
    ],
)
def test_tokens_are_held_against_the_cheapest_run_that_answers_as_well(cheap: int, dear: int, ratio: float) -> None:
    def answer(right: int, tokens: int) -> JobResult:
        return build_answers({s: [number < right] for number, s in enumerate("ABCD")}, tokens=tokens)

    claim = build_claim(over=["cheap", "dear"], at_most=0.5)
    jobs = {
        "ours": [answer(4, 900), answer(4, 1100)],
        "cheap": [answer(cheap, 400), answer(cheap, 600)],
        "dear": [answer(dear, 2000), answer(dear, 2000)],
    }
    figure = compute_claim(claim, build_experiment(claim), jobs)
    assert figure.value == figure.low == figure.high == ratio
    (row,) = judge_claims("e", build_experiment(claim), jobs, model="tiny")
    assert row["verdict"] == ("holds" if ratio <= 0.5 else "does not hold"), "it is judged as it is"
    assert format_ours(row) == f"{ratio:.3f} (no interval) ({row['made_of']})"
    assert row["made_of"] == ("1,000 / 500" if ratio == 2 else "1,000 / 2,000")
    assert (row["low"], row["high"], row["n"]) == (None, None, None)


@pytest.mark.parametrize(
    ("paper", "said"),
    [
        ("0.98 - 0.35", "0.63 (0.98 - 0.35)"),
        ("0.886 - 0.097 (arXiv 2505.16178)", "0.79 (0.886 - 0.097) (arXiv 2505.16178)"),
        ("0.178 (arXiv 2402.12847)", "0.178 (arXiv 2402.12847)"),
        ("yes", "yes"),
    ],
)
def test_what_a_papers_figure_is_made_of_stands_behind_it_and_then_its_source(paper: str, said: str) -> None:
    experiment = build_experiment(build_claim(paper=paper))
    (row,) = judge_claims("e", experiment, {"ours": [build_answers({"A": [True]})]}, model="tiny")
    assert format_paper(row) == said


@pytest.mark.parametrize(
    ("right", "bound", "verdict"),
    [
        (56, {"at_least": 0.5}, "open"),  # the figure reaches the bound, the lower end of its interval does not
        (44, {"at_least": 0.5}, "open"),
        (44, {"at_most": 0.5}, "open"),
        (90, {"at_least": 0.5}, "holds"),
        (10, {"at_least": 0.5}, "does not hold"),
        (10, {"at_most": 0.5}, "holds"),
        (90, {"at_most": 0.5}, "does not hold"),
    ],
)
def test_the_whole_interval_decides(right: int, bound: dict[str, float], verdict: str) -> None:
    """Of 100 facts 56 give [0.46, 0.65] and 44 give [0.35, 0.54]."""
    experiment = build_experiment(build_claim(**{"at_least": None, **bound}))
    jobs = {"ours": [build_answers({f"S{number}": [number < right] for number in range(100)})]}
    (row,) = judge_claims("e", experiment, jobs, model="tiny")
    assert row["verdict"] == verdict


def test_a_row_says_all_and_why_only_where_it_does_not_hold() -> None:
    claims = (
        build_claim(paper="0.9", why={"tiny": TOO_SMALL}),
        build_claim(
            name="d",
            value={**CELL, "run": "cheap"},
            why={"tiny": TOO_SMALL},
            at_most=0.25,
        ),
    )
    experiment = build_experiment(*claims)
    good = build_answers({f"S{number}": [True] for number in range(20)})
    jobs = {"ours": [good, good, good], "cheap": [good, good], "dear": [good, good, good]}
    first, second = json.loads(json.dumps(list(judge_claims("e", experiment, jobs, model="tiny"))))
    assert set(first) == set(second) == set(ClaimRow.__annotations__)
    assert 0.5 < first.pop("low") < first.pop("ours") == first.pop("high") == 1
    assert first == {
        "claim": "c",
        "text": "It works",
        "experiment": "e",
        "model": "tiny",
        "paper": "0.9",
        "made_of": "",
        "seeds": 2,
        "n": 60,
        "bound": ">= 0.5",
        "verdict": "holds",
        "why": "",
        "basis": "",
        "cause": "",
        "stale": False,
    }
    assert (second["verdict"], second["why"], second["bound"]) == ("does not hold", "too small", "<= 0.25")
    assert (second["basis"], second["cause"]) == ("measured", list_causes()["rote_alone"])


def test_a_cause_has_to_be_declared() -> None:
    with pytest.raises(ValueError, match="there is no cause 'bad luck'; all: rote_alone, "):
        build_claim(why={"tiny": {"text": "too small", "cause": "bad luck"}})
