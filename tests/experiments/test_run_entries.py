"""What single runs have to publish, from made-up run folders: later tables and forgetting, each with its seeds."""

from pathlib import Path
from typing import Any

import pytest

from rote.errors import RunError
from rote.experiments.run_entries import build_run_entries, is_published
from rote.runs.folder import RunFolder, write_json


def _figure(mean: float, n: int = 40) -> dict[str, Any]:
    return {"mean": mean, "low": max(0.0, mean - 0.1), "high": min(1.0, mean + 0.1), "n": n}


def _make_run(path: Path, *, model: str = "small", share: float = 0.5) -> RunFolder:
    path.mkdir(parents=True)
    folder = RunFolder(path)
    config = {"model": model, "rehearse": {"share": share}}
    about = {"model": {"name": model, "hash": ""}, "table": {"name": "t", "hash": ""}}
    write_json(folder.identity, {**about, "config": config, "files": {}, "loading": {}})
    return folder


def _teach_two(path: Path, first: float, *, share: float = 0.5) -> Path:
    """The second run of a row of two tables; the first one lies beside it."""
    before = _make_run(path / "run-1", share=share)
    after = _make_run(path / "run-2", model=str(before.model), share=share)
    cells = [
        {"table": 0, "after": 0, **_figure(0.9)},
        {"table": 0, "after": 1, **_figure(first)},
        {"table": 1, "after": 1, **_figure(0.8)},
    ]
    measures = {"average_accuracy": (first + 0.8) / 2, "forgetting": 0.9 - first, "backward_transfer": first - 0.9}
    tables = [{"name": "a", "facts": 5}, {"name": "b", "facts": 5}]
    write_json(after.retention, {"tables": tables, "cells": cells, **measures})
    return after.path


def test_rows_of_tables_are_a_matrix_for_each_share_over_their_seeds(tmp_path: Path) -> None:
    runs = [_teach_two(tmp_path / f"seed-{n}", first) for n, first in enumerate((0.5, 0.7))]
    runs.append(_teach_two(tmp_path / "plain", 0.2, share=0.0))
    assert all(map(is_published, runs))
    (entry,) = build_run_entries(runs, code="c")
    assert (entry.name, entry.model, entry.seeds, entry.code) == ("later_tables", "small", 1, "c")
    plain, half, measures = entry.tables
    assert plain.head == ("share rehearsed: 0", "after table 1", "after table 2")
    assert [row[0] for row in half.rows] == ["table 1", "table 2"]
    assert half.rows[0][2].startswith("0.600 [0.000, 1.000] (80)"), "two seeds that differ say little"
    assert half.rows[1][1] == "", "a table is not asked about before it is taught"
    assert half.rows[1][2].startswith("0.800 [0.729, 0.871] (80)"), "facts of two seeds, each with its interval"
    assert measures.rows[1] == (
        "2 tables, share 0.5",
        "0.700 (0.650 to 0.750)",
        "0.300 (0.200 to 0.400)",
        "-0.300 (-0.400 to -0.200)",
    )


def _forget(path: Path, after: float, method: str = "npo") -> Path:
    folder = _make_run(path)
    row = {"before": _figure(0.9), "after": _figure(after), "kept": None}
    again = {"fact_set": "forgotten", "prompt_set": "held_out", "figure": _figure(0.25, 20)}
    content = {
        "method": method,
        "forgotten_facts": 10,
        "pooled": {"neighbours": {**row, "kept": _figure(0.95)}, "forgotten": row},
        "relearning": [{**again, "moment": moment, "count": 5} for moment in ("teach_unseen", "relearn")],
    }
    write_json(folder.forgetting, content)
    return folder.path


def test_what_was_forgotten_is_a_table_for_each_method_and_relearning_a_curve(tmp_path: Path) -> None:
    runs = [_forget(tmp_path / str(number), after) for number, after in enumerate((0.0, 0.0))]
    (entry,) = build_run_entries([*runs, _forget(tmp_path / "other", 0.1, "gradient_difference")], code="c")
    assert (entry.name, entry.model, entry.seeds) == ("forgetting", "small", 1)
    changes, _, relearning = entry.tables
    assert changes.head == ("npo, 10 facts", "before", "after", "kept")
    assert changes.rows[0] == ("forgotten facts", "0.900 [0.829, 0.971] (80)", "0.000 [0.000, 0.071] (80)", "")
    assert changes.rows[1][0] == "other facts of the relation"
    assert [row[0] for row in relearning.rows] == ["5 of them", "5 new facts"]
    assert relearning.rows[0][1].startswith("0.250 [")
    assert [dot.run for dot in entry.panels[0].rows] == ["nothing", "5 of them", "5 new facts"]
    assert "not erasure" in entry.notes[0]


def test_a_damaged_run_is_one_line(tmp_path: Path) -> None:
    run = _forget(tmp_path / "run", 0.0)
    write_json(RunFolder(run).forgetting, {"method": "npo"})
    with pytest.raises(RunError, match=r"forgetting\.json: is not as a run writes it"):
        build_run_entries([run], code="c")
