"""Two logs of another tool: what is matched, what is told of the rest, and whether the interval is right."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.exchange.test_reading import build_line, write_lines

from rote.comparison.logs import compare_logs, format_logs, load_logs
from rote.errors import ConfigError, RunError
from rote.exchange.sample_logs import Sample, SampleLog, Score

SCORE = ("task", "acc")


def build_log(
    values: Sequence[float], clusters: Sequence[int] | None = None, *, names: Sequence[str] = (), prompt: str = ""
) -> SampleLog:
    names = names or [str(number) for number in range(len(values))]
    found = clusters or range(len(values))
    samples = {n: Sample(v, c, prompt) for n, v, c in zip(names, values, found, strict=True)}
    scores: Mapping[Score, Mapping[str, Sample]] = {SCORE: samples}
    return SampleLog("lm-eval", scores)


def draw_pairs(clusters: int, each: int) -> tuple[list[float], list[float], list[int]]:
    """Right and wrong answers of two models to questions that come in groups, of which some are hard for both."""
    rng = np.random.default_rng(7)
    first, second, groups = [], [], []
    for group in range(clusters):
        ability, gain = rng.uniform(0.2, 0.8), rng.normal(0.15, 0.2)
        for _ in range(each):
            luck = rng.uniform()
            first.append(float(luck < ability))
            second.append(float(0.7 * luck + 0.3 * rng.uniform() < ability + gain))
            groups.append(group)
    return first, second, groups


def bootstrap(first: Sequence[float], second: Sequence[float], groups: Sequence[int]) -> tuple[float, float]:
    """The percentiles of the difference when whole groups are drawn anew."""
    rng, difference = np.random.default_rng(0), np.asarray(second) - np.asarray(first)
    members = [difference[np.asarray(groups) == group] for group in sorted(set(groups))]
    draws = [
        float(np.concatenate([members[i] for i in rng.integers(len(members), size=len(members))]).mean())
        for _ in range(4000)
    ]
    low, high = np.percentile(draws, [2.5, 97.5])
    return float(low), float(high)


@pytest.mark.parametrize(("clusters", "each"), [(200, 1), (60, 5)], ids=["each alone", "in groups"])
def test_the_interval_is_that_of_a_bootstrap_over_clusters(clusters: int, each: int) -> None:
    first, second, groups = draw_pairs(clusters, each)
    (row,) = compare_logs(build_log(first, groups), build_log(second, groups))
    low, high = bootstrap(first, second, groups)
    assert row.difference.value == pytest.approx(np.mean(second) - np.mean(first))
    assert row.difference.low == pytest.approx(low, abs=0.1 * (high - low))
    assert row.difference.high == pytest.approx(high, abs=0.1 * (high - low))
    assert (row.matched, row.clusters) == (clusters * each, clusters)


def test_groups_make_the_interval_wider_and_pairs_make_it_narrower() -> None:
    first, second, groups = draw_pairs(60, 5)

    def measure(one: SampleLog, other: SampleLog) -> float:
        (row,) = compare_logs(one, other)
        return row.difference.high - row.difference.low

    grouped = measure(build_log(first, groups), build_log(second, groups))
    alone = measure(build_log(first), build_log(second))
    shuffled = list(np.random.default_rng(3).permutation(second))
    assert grouped > 1.2 * alone
    assert measure(build_log(first), build_log(shuffled)) > 1.2 * alone


def test_only_questions_of_both_count_and_the_others_are_told() -> None:
    first = build_log([1.0, 0.0, 0.0, 1.0], names=["a", "b", "c", "x"])
    second = build_log([1.0, 1.0, 1.0, 0.0, 0.0], names=["c", "b", "a", "y", "z"])
    (row,) = compare_logs(first, second)
    assert (row.matched, row.only_first, row.only_second) == (3, 1, 2)
    assert row.first.value == pytest.approx(1 / 3)
    assert row.second.value == 1.0
    assert row.difference.value == pytest.approx(2 / 3)
    lines = list(format_logs(("A", "B"), (first, second), [row]))
    assert lines[:2] == ["first: A", "second: B"]
    cells = [cell.strip() for cell in lines[4].strip("|").split("|")]
    assert (cells[0], cells[1], cells[5:]) == ("task", "acc", ["3", "3", "1", "2"])


def test_another_prompt_and_another_metric_are_told() -> None:
    first, second = build_log([1.0, 0.0], prompt="a"), build_log([1.0, 1.0], prompt="b")
    other = {("task", "f1"): second.scores[SCORE]}
    more = SampleLog("lm-eval", {**second.scores, **other}, (("wiki", "word_perplexity"),))
    rows = compare_logs(first, more)
    text = "\n".join(format_logs(("A", "B"), (first, more), rows))
    assert "warning: task, acc: 2 of them were asked by another prompt" in text
    assert "left out, as no question of it is in both or it is no number: task, f1; wiki, word_perplexity" in text


def test_log_likelihoods_have_no_bounds() -> None:
    (row,) = compare_logs(build_log([-10.0, -20.0, -30.0]), build_log([-7.0, -18.0, -24.0]))
    assert row.first.value == -20.0
    assert row.difference.value == pytest.approx(11 / 3)
    assert row.difference.high > 1


def test_nothing_in_common_is_one_line() -> None:
    with pytest.raises(RunError, match=r"no question of one task and metric in common; they have task \(acc\) and"):
        compare_logs(build_log([1.0], names=["a"]), build_log([1.0], names=["b"]))


def test_two_logs_of_one_tool_are_asked_for(tmp_path: Path) -> None:
    one, two = (write_lines(tmp_path / name, [build_line(0)]) for name in ("one", "two"))
    (tmp_path / "log.eval").write_bytes(b"")
    with pytest.raises(ConfigError, match="two at a time, and these are 3"):
        load_logs([one, two, one])
    with pytest.raises(ConfigError, match=r"two logs of one tool .*one is of lm-eval, .*log.eval is of Inspect"):
        load_logs([one, tmp_path / "log.eval"])
    with pytest.raises(ConfigError, match=r"none is no log"):
        load_logs([one, tmp_path / "none"])


def test_what_one_log_alone_says_belongs_together_does_in_either_order() -> None:
    first, second, groups = draw_pairs(8, 10)
    plain, grouped = build_log(first), build_log(second, groups)
    (row,), (other,) = compare_logs(plain, grouped), compare_logs(grouped, plain)
    assert row.clusters == other.clusters == 8
    assert (row.difference.low, row.difference.high) == pytest.approx((-other.difference.high, -other.difference.low))
