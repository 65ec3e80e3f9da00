"""The arithmetic of ratios, who has a turn when, and what stays when results are merged."""

import pytest
from benchmarks.pairs import Contender, Row, Spent, UnequalWorkError, alternate, check_close, compare, merge, race


def fake(turns: list[str], name: str, seconds: list[float]) -> Contender:
    """A contender that takes no time and claims what it is told to claim, by the wall twice as much."""
    claimed = iter(seconds)

    def piece() -> Spent:
        turns.append(name)
        cpu = next(claimed)
        return Spent(cpu, 2 * cpu)

    return piece


def test_the_order_is_reversed_in_every_other_round_and_the_first_piece_is_thrown_away() -> None:
    turns: list[str] = []
    contenders = {name: fake(turns, name, [100.0, 1.0, 2.0]) for name in "abc"}
    spent = alternate(contenders, pairs=2)
    assert "".join(turns) == "abc" + "abc" + "cba"
    assert spent == {name: [Spent(1.0, 2.0), Spent(2.0, 4.0)] for name in "abc"}


def test_a_ratio_is_work_per_second_of_ours_over_theirs_round_by_round() -> None:
    ours = [Spent(1.0, 2.0), Spent(2.0, 1.0), Spent(4.0, 1.0)]
    theirs = [Spent(2.0, 1.0), Spent(2.0, 1.0), Spent(2.0, 4.0)]
    row = compare(ours, theirs)
    assert row == {"ratio": 1.0, "low": 0.5, "high": 2.0, "pairs": 3, "wall_ratio": 1.0}


def test_a_race_has_a_row_for_each_peer() -> None:
    turns: list[str] = []
    contenders = {
        "rote": fake(turns, "rote", [9.0, 1.0, 2.0]),
        "slow": fake(turns, "slow", [9.0, 4.0, 6.0]),
        "fast": fake(turns, "fast", [9.0, 0.5, 0.5]),
    }
    rows = race("training", "tiny", contenders, pairs=2)
    assert [(row["benchmark"], row["model"], row["peer"], row["ratio"]) for row in rows] == [
        ("training", "tiny", "slow", 3.5),
        ("training", "tiny", "fast", 0.375),
    ]


@pytest.mark.parametrize("theirs", [[1.0, 2.1], [1.0], [1.0, float("nan")]])
def test_unequal_work_is_refused(theirs: list[float]) -> None:
    check_close([1.0, 2.0], [1.0, 2.00001], what="same")
    with pytest.raises(UnequalWorkError, match="losses: "):
        check_close([1.0, 2.0], theirs, what="losses")


def test_rows_of_other_benchmarks_and_models_stay() -> None:
    def row(benchmark: str, model: str, peer: str, ratio: float) -> Row:
        return {"benchmark": benchmark, "model": model, "peer": peer, "ratio": ratio}

    old = [row("training", "big", "a", 1), row("training", "tiny", "a", 1), row("training", "tiny", "gone", 1)]
    old += [row("choice", "tiny", "a", 1)]
    merged = merge(old, [row("training", "tiny", "b", 2), row("training", "tiny", "a", 2)])
    assert merged == [old[3], old[0], row("training", "tiny", "b", 2), row("training", "tiny", "a", 2)]
