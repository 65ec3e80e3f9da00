"""What the terminal says of a run's times."""

import pytest

from rote.cli.tables import describe_times, print_comparison


def test_each_step_is_set_beside_its_estimate() -> None:
    durations = {"find known facts": 5.0, "memorize": 90.0, "examine: memorize": 30.0}
    lines = list(describe_times(durations, {"memorize": 80.0, "examine: memorize": 20.0, "generalize": 50.0}))
    said = [" ".join(line.split()) for line in lines]
    assert said == [
        "find known facts 5.0 s",
        "memorize 90.0 s (estimated 80 s)",
        "examine: memorize 30.0 s (estimated 20 s)",
        "in all, this command 125.0 s",
        "of it estimated 120.0 s (estimated 100 s, off by +20%)",
    ], "the steps that were both estimated and done"


def test_without_an_estimate_none_is_judged() -> None:
    assert len(list(describe_times({"memorize": 90.0}, {}))) == 2


def test_a_name_that_looks_like_markup_stays_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    names = ("mine[v2]", "[/a]")
    row = {"questions": "key token", "mean": 1.0, "low": 0.5, "high": 1.0, "n": 4, "difference": None}
    methods = [{"name": name, "training_tokens": 1} for name in names]
    print_comparison({"rows": [{**row, "method": name} for name in names], "methods": methods})
    shown = capsys.readouterr().out
    assert [shown.count(name) for name in names] == [2, 2]
