"""Two audits side by side, from the files that `rote audit --out` writes."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import call_rote

from rote.audit.audit import AuditResult, save_audit
from rote.audit.repurposing import Repurposing
from rote.audit.traces import Trace
from rote.config.audit import AuditConfig
from rote.evaluation.statistics import compute_interval
from rote.experiments.compare_audits import compare_audits, load_audit, tell_audits
from rote.figures import Figure


def share(right: int) -> Figure:
    return compute_interval([1.0] * right + [0.0] * (40 - right), range(40))


def write_audit(
    path: Path, *, recalled: int = 40, turned: Sequence[int] = (0, 36), table: str = "hash", **settings: Any
) -> Path:
    """An audit of one relation: how many of 40 facts a key token brings, and another meaning by number of examples."""
    traces = [
        Trace("mother", "[X1]", "declared", "table", share(recalled)),
        Trace("mother", "", "none", "table", share(0)),
        Trace("mother", "the", "vocabulary", "table", share(1)),
        Trace("mother", "[X1]", "declared", "shuffled", share(0)),
    ]
    rows = [
        Repurposing(5 * number, "training", share(right), share(right) if number else None)
        for number, right in enumerate(turned)
    ]
    config = AuditConfig(examples=(5,), **settings)
    save_audit(AuditResult("m", table, ["mother"], 7, {"mother": 8}, traces, {}, rows, {"mother": 80}, config), path)
    return path


def test_a_defence_that_did_something_is_apart_from_none(tmp_path: Path) -> None:
    plain, defended = (
        write_audit(tmp_path / f"{name}.json", turned=(0, right)) for name, right in (("a", 36), ("b", 9))
    )
    rows = {(row.part, row.asked): row for row in compare_audits([load_audit(plain), load_audit(defended)])}
    assert {key: row.is_apart for key, row in rows.items()} == {
        ("rote learning", "mother, the subject alone"): False,
        ("rote learning", "mother, behind [X1]"): False,
        ("another meaning", "0 examples: others, prompt that was shown"): False,
        ("another meaning", "5 examples: others, prompt that was shown"): True,
    }
    *_, last = rows.values()
    assert [figure and figure.value for figure in last.figures] == [0.9, 0.225]


def test_what_one_did_not_ask_has_no_figure_and_nothing_to_be_apart_from(tmp_path: Path) -> None:
    one, two = write_audit(tmp_path / "a.json", turned=(0,)), write_audit(tmp_path / "b.json")
    *_, last = compare_audits([load_audit(one), load_audit(two)])
    assert (last.figures[0], last.is_apart) == (None, None)
    three = compare_audits([load_audit(path) for path in (one, two, two)])
    assert [row.is_apart for row in three] == [None] * 4


def test_settings_and_tables_that_differ_are_told(tmp_path: Path) -> None:
    audits = {
        "a": load_audit(write_audit(tmp_path / "a.json")),
        "b": load_audit(write_audit(tmp_path / "b.json", table="other", seed=1)),
    }
    first, second, setting, warning = tell_audits(audits)
    assert first.startswith("a: Rote learning found")
    assert second.startswith("b: ")
    assert setting == "seed: 0 (a), 1 (b)"
    assert warning.startswith("warning: these audits are of other tables")


def test_the_command_prints_a_table_or_json(tmp_path: Path) -> None:
    paths = [str(write_audit(tmp_path / f"{name}.json", turned=(0, right))) for name, right in (("a", 36), ("b", 9))]
    said = call_rote("compare", *paths).out
    assert "| about | asked | a | b | apart |" in said
    *_, last = said.splitlines()
    assert re.fullmatch(r"\| another meaning \| 5 .* \| 0\.900 \[.*\] \(40\) \| 0\.225 \[.*\] \(40\) \| yes \|", last)
    content = json.loads(call_rote("compare", *paths, "--json").out)
    assert [row["apart"] for row in content["rows"]] == [False, False, False, True]
    assert content["rows"][-1]["figures"]["b"]["mean"] == 0.225


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", "is no audit; audits are compared with audits"),
        ('{"inspection": {}}', "is an audit without a table, which has no figures; audit with one"),
        ('{"repurposing": [], "verdict": "x"}', "is damaged (at model: field required); audit again"),
    ],
)
def test_another_file_is_one_line(tmp_path: Path, content: str, message: str) -> None:
    other = tmp_path / "other.json"
    other.write_text(content)
    found = call_rote("compare", str(write_audit(tmp_path / "a.json")), str(other))
    assert (found.code, found.err.count("\n")) == (2, 1)
    assert message in found.err
