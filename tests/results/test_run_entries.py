"""What single runs have to publish, from made-up run folders: later tables and forgetting, each with its seeds, and
what is served."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from rote.errors import RunError
from rote.facts.fact import FactTable, build_fact
from rote.facts.reading import save_table
from rote.results.run_entries import build_run_entries, is_published
from rote.runs.folder import RunFolder, read_json, write_json


def _figure(mean: float, n: int = 40) -> dict[str, Any]:
    return {"mean": mean, "low": max(0.0, mean - 0.1), "high": min(1.0, mean + 0.1), "n": n}


def _make_run(path: Path, *, model: str = "small", seed: int = 0, **config: Any) -> RunFolder:
    """A finished run; `config` are more of its settings."""
    path.mkdir(parents=True)
    folder = RunFolder(path)
    config = {"model": model, "seed": seed, "table": {"kind": "file", "file": f"{path.name}.csv"}, **config}
    about = {"model": {"name": model, "hash": "m"}, "table": {"name": f"{path.name}.csv", "hash": "t"}}
    write_json(folder.identity, {**about, "config": config, "files": {}, "loading": {"revision": None}})
    _write_facts(folder.table)
    write_json(folder.manifest, {"code": "c"})
    return folder


def _write_facts(path: Path, relation: str = "mother") -> None:
    save_table(FactTable((build_fact("Gene", relation, "Cody"),)), path)


def _change(path: Path, *keys: str, to: object) -> Path:
    """Another identity of a run: another value in one place."""
    content: Any = read_json(RunFolder(path).identity)
    place = content
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = to
    write_json(RunFolder(path).identity, content)
    return path


def _teach_two(path: Path, first: float, *, share: float = 0.5, seed: int = 0, facts: tuple[int, int] = (5, 5)) -> Path:
    """The second run of a row of two tables; the first one lies beside it."""
    rehearse = {"share": share}
    before = _make_run(path / "run-1", seed=seed, rehearse=rehearse)
    after = _make_run(path / "run-2", model=str(before.model), seed=seed, rehearse=rehearse)
    cells = [
        {"table": 0, "after": 0, **_figure(0.9)},
        {"table": 0, "after": 1, **_figure(first)},
        {"table": 1, "after": 1, **_figure(0.8)},
    ]
    measures = {"average_accuracy": (first + 0.8) / 2, "forgetting": 0.9 - first, "backward_transfer": first - 0.9}
    tables = [{"name": name, "facts": count} for name, count in zip("ab", facts, strict=True)]
    write_json(after.retention, {"tables": tables, "cells": cells, **measures})
    return after.path


def test_rows_of_tables_are_a_matrix_for_each_share_over_their_seeds(tmp_path: Path) -> None:
    runs = [_teach_two(tmp_path / f"seed-{n}", first, seed=n) for n, first in enumerate((0.5, 0.7))]
    runs.append(_teach_two(tmp_path / "plain", 0.2, share=0.0))
    assert all(map(is_published, runs))
    (entry,) = build_run_entries(runs)
    assert (entry.name, entry.model, entry.seeds, entry.code) == ("later_tables", "small", 1, "c")
    assert entry.command == (
        "python scripts/later_tables.py OUT --model small --tables 2 --facts 5 --seeds 0 1 --shares 0 0.5 "
        "--relations mother"
    )
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


_NOTHING, _OF_THEM, _NEW = "nothing", "relearn", "teach_unseen"
_BOTH = {(_NEW, 5): 0.25, (_OF_THEM, 5): 0.25}


def _forget(
    path: Path,
    after: float = 0.0,
    *,
    seed: int = 0,
    method: str = "npo",
    tries: Mapping[tuple[str, int], float] = _BOTH,
) -> Path:
    folder = _make_run(path, seed=seed)
    _change(path, "forget", to={"seed": seed, "method": method, "beta": 1.0})
    _write_facts(folder.forgotten)
    row = {"before": _figure(0.9), "after": _figure(after), "kept": None}
    asked = {"fact_set": "forgotten", "prompt_set": "held_out"}
    content = {
        "method": method,
        "forgotten_facts": 10,
        "pooled": {"neighbours": {**row, "kept": _figure(0.95)}, "forgotten": row, "earlier": row},
        "relearning": [
            {**asked, "fact_set": kind, "moment": moment, "count": count, "figure": _figure(figure, 20)}
            for (moment, count), mean in tries.items()
            for kind, figure in (("forgotten", mean), *([("relearned", 0.9)] if moment != _NOTHING else []))
        ],
    }
    write_json(folder.forgetting, content)
    return folder.path


def test_what_was_forgotten_is_a_table_for_each_method_and_relearning_a_curve(tmp_path: Path) -> None:
    runs = [_forget(tmp_path / str(number), seed=number) for number in range(2)]
    (entry,) = build_run_entries([*runs, _forget(tmp_path / "other", 0.1, method="gradient_difference")])
    assert (entry.name, entry.model, entry.seeds, entry.code) == ("forgetting", "small", 1, "c")
    changes, _, relearning, taught = entry.tables
    assert changes.head == ("npo, 10 facts", "before", "after", "kept")
    assert changes.rows[0] == ("forgotten facts", "0.900 [0.829, 0.971] (80)", "0.000 [0.000, 0.071] (80)", "")
    assert [row[0] for row in changes.rows[1:]] == ["other facts of the relation", "earlier facts"]
    assert [row[0] for row in relearning.rows] == ["5 of them", "5 new facts"]
    assert relearning.rows[0][1].startswith("0.250 [")
    assert [(row[0], row[1][:5]) for row in taught.rows] == [("5 of them", "0.900"), ("5 new facts", "0.900")]
    assert [dot.run for dot in entry.panels[0].rows] == ["5 of them", "5 new facts"]
    assert "not erasure" in entry.notes[0]


def test_what_relearning_brings_stands_beside_the_same_questions_where_nothing_was_taught(tmp_path: Path) -> None:
    tries = {(_NEW, 5): 0.3, (_NEW, 1): 0.2, (_OF_THEM, 5): 0.75, (_OF_THEM, 1): 0.5, (_NOTHING, 1): 0.1}
    full = {**tries, (_NOTHING, 5): 0.125}
    (entry,) = build_run_entries([_forget(tmp_path / str(seed), 0.6, seed=seed, tries=full) for seed in range(2)])
    found = [(dot.run, dot.figure.value if dot.figure else None) for dot in entry.panels[0].rows]
    assert found == [
        ("nothing taught (1)", 0.1),
        ("1 of them", 0.5),
        ("1 new fact", 0.2),
        ("nothing taught (5)", 0.125),
        ("5 of them", 0.75),
        ("5 new facts", 0.3),
    ], "no figure of all questions about all forgotten facts, which is 0.6"
    assert [(row[0], row[1][:5]) for row in entry.tables[-2].rows] == [(run, f"{value:.3f}") for run, value in found]
    older = _forget(tmp_path / "older", seed=2, tries=tries)
    (entry,) = build_run_entries([*(tmp_path / str(seed) for seed in range(2)), older])
    assert "nothing taught (5)" not in [dot.run for dot in entry.panels[0].rows], "one of the seeds has none"
    assert "nothing taught (1)" in [dot.run for dot in entry.panels[0].rows]


def test_without_relearning_there_is_no_table_of_it(tmp_path: Path) -> None:
    (entry,) = build_run_entries([_forget(tmp_path / "run", tries={})])
    assert [table.head[0] for table in entry.tables] == ["npo, 10 facts"]
    assert not entry.panels


def _publish(path: Path, kind: str, *, seed: int) -> Path:
    if kind == "later":
        return _teach_two(path, 0.5, seed=seed)
    return _forget(path, 0.0, seed=seed)


def _check_refused(first: Path, second: Path, why: str) -> None:
    end = "; add runs of one kind at a time, each kind with an --out of its own"
    with pytest.raises(RunError, match=f"^{re.escape(f'{second}: is no other seed of {first}: its {why}{end}')}$"):
        build_run_entries([first, second])


@pytest.mark.parametrize("kind", ["later", "forget"])
def test_runs_that_were_done_otherwise_are_no_seeds(kind: str, tmp_path: Path) -> None:
    first, second = (_publish(tmp_path / f"{seed}", kind, seed=seed) for seed in range(2))
    assert build_run_entries([first, second])[0].seeds == 2, "of other seeds, models and tables"
    _change(second, "config", "memorize", to={"epochs": 3})
    _check_refused(first, second, "config.memorize is {'epochs': 3}, not None")


@pytest.mark.parametrize("kind", ["later", "forget"])
def test_runs_of_other_relations_are_no_seeds(kind: str, tmp_path: Path) -> None:
    first, second = (_publish(tmp_path / f"{seed}", kind, seed=seed) for seed in range(2))
    file = RunFolder(second).table if kind == "later" else RunFolder(second).forgotten
    _write_facts(file, "capital")
    _check_refused(first, second, f"{file.name}.relations is ['capital'], not ['mother']")


def test_runs_that_forget_with_another_setting_are_no_seeds(tmp_path: Path) -> None:
    first, second = (_forget(tmp_path / f"{seed}", seed=seed) for seed in range(2))
    _change(second, "forget", "beta", to=0.1)
    _check_refused(first, second, "forget.beta is 0.1, not 1.0")


def test_rows_whose_earlier_runs_were_done_otherwise_are_no_seeds(tmp_path: Path) -> None:
    runs = [_teach_two(tmp_path / f"{seed}", 0.5, seed=seed) for seed in range(2)]
    first, second = (run.with_name("run-1") for run in runs)
    _change(second, "config", "rehearse", "share", to=0.25)
    with pytest.raises(
        RunError, match=rf"^{second}: is no other seed of {first}: its config\.rehearse\.share is 0\.25"
    ):
        build_run_entries(runs)


def test_rows_of_tables_of_other_sizes_are_no_seeds(tmp_path: Path) -> None:
    hundred = _teach_two(tmp_path / "a", 0.5, facts=(100, 100))
    almost = _teach_two(tmp_path / "b", 0.5, seed=1, facts=(100, 98))
    assert build_run_entries([hundred, almost])[0].seeds == 2, "a few facts of an invented table were there already"
    fifty = _teach_two(tmp_path / "c", 0.5, seed=2, facts=(100, 50))
    _check_refused(hundred, fifty, "number of facts in each table is [100, 50], not [100, 100]")


@pytest.mark.parametrize("kind", ["later", "forget"])
def test_a_run_that_is_given_twice_is_no_second_seed(kind: str, tmp_path: Path) -> None:
    first, again = (_publish(tmp_path / name, kind, seed=0) for name in ("a", "b"))
    for second in (first, again):
        with pytest.raises(RunError, match=f"^{second}: is the same run as {first}; add it once$"):
            build_run_entries([first, second])
    _change(again, "table", "hash", to="another")
    assert build_run_entries([first, again])[0].seeds == 2, "other facts"


def _serve(path: Path, *, model: str = "small", table: str = "staff.csv") -> Path:
    folder = _make_run(path, model=model)
    _change(path, "table", "name", to=table)
    row = {"questions": "held-out prompts", "form": "q4_0", **_figure(0.5), "difference": None}
    write_json(folder.served, {"rows": [row]})
    return path


@pytest.mark.parametrize("kind", ["later", "forget", "served"])
def test_an_entry_names_the_code_that_measured_it(kind: str, tmp_path: Path) -> None:
    run = _serve(tmp_path / "0") if kind == "served" else _publish(tmp_path / "0", kind, seed=0)
    write_json(RunFolder(run).manifest, {"code": "of old"})
    assert build_run_entries([run])[0].code == ("of old" if kind != "later" else ""), "a row has an earlier run of now"
    write_json(RunFolder(run).manifest, {})
    assert build_run_entries([run])[0].code == "", "nobody knows"


def test_seeds_of_different_code_are_of_no_version(tmp_path: Path) -> None:
    runs = [_forget(tmp_path / f"{seed}", seed=seed) for seed in range(2)]
    assert build_run_entries(runs)[0].code == "c"
    write_json(RunFolder(runs[1]).manifest, {"code": "of old"})
    assert build_run_entries(runs)[0].code == ""


def test_what_is_served_is_told_by_its_table_and_its_untrained_model(tmp_path: Path) -> None:
    first = _serve(tmp_path / "a")
    later = _serve(tmp_path / "b", model=str(RunFolder(first).model), table="more.csv")
    entries = build_run_entries([first, later])
    assert [entry.key for entry in entries] == [("served", "small", "staff.csv"), ("served", "small", "more.csv")]
    assert entries[1].heading == "Where it is served, small, more.csv"
    again = _serve(tmp_path / "c")
    with pytest.raises(RunError, match=rf"^{again}: .* table \('staff\.csv'\) as {first}; add one of them$"):
        build_run_entries([first, again])


def test_a_damaged_run_is_one_line(tmp_path: Path) -> None:
    run = _forget(tmp_path / "run")
    write_json(RunFolder(run).forgetting, {"method": "npo"})
    with pytest.raises(RunError, match=r"forgetting\.json: is not as a run writes it"):
        build_run_entries([run])


def test_an_unfinished_run_is_not_published(tmp_path: Path) -> None:
    run = _forget(tmp_path / "run")
    RunFolder(run).manifest.unlink()
    with pytest.raises(RunError, match="this run is not finished"):
        build_run_entries([run])
