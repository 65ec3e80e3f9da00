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
from rote.comparison.audits import compare_audits, load_audit, tell_audits
from rote.config.audit import AuditConfig
from rote.evaluation.statistics import compute_interval
from rote.figures import Figure


def share(right: int) -> Figure:
    return compute_interval([1.0] * right + [0.0] * (40 - right), range(40))


def write_audit(
    path: Path,
    *,
    relations: Sequence[str] = ("mother",),
    turned: Sequence[int] = (0, 36),
    table: str = "hash",
    **settings: Any,
) -> Path:
    """An audit: a key token brings all of 40 facts of each relation, another meaning so many by number of examples."""
    traces = [
        trace
        for name in relations
        for trace in (
            Trace(name, "", "none", "table", share(0)),
            Trace(name, "[X1]", "declared", "table", share(40)),
            Trace(name, "the", "vocabulary", "table", share(1)),
            Trace(name, "[X1]", "declared", "shuffled", share(0)),
        )
    ]
    rows = [
        Repurposing(5 * number, "training", share(right), share(right) if number else None)
        for number, right in enumerate(turned)
    ]
    config = AuditConfig(examples=(5,), **settings)
    facts = dict.fromkeys(relations, 80)
    save_audit(AuditResult("m", table, relations, 7, facts, traces, {}, rows, facts, config), path)
    return path


def test_a_defence_that_did_something_is_apart_from_none(tmp_path: Path) -> None:
    plain, defended = (
        write_audit(tmp_path / f"{name}.json", turned=(0, right)) for name, right in (("a", 36), ("b", 9))
    )
    rows = {(row.about, row.asked): row for row in compare_audits([load_audit(plain), load_audit(defended)])}
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


def test_relations_are_matched_by_name(tmp_path: Path) -> None:
    names = (("mother", "capital"), ("capital", "mother"), ("capital",))
    one, other, less = (load_audit(write_audit(tmp_path / f"{i}.json", relations=name)) for i, name in enumerate(names))
    told = ["mother, the subject alone", "mother, behind [X1]", "capital, the subject alone", "capital, behind [X1]"]
    both = compare_audits([one, other])[:4]
    assert [row.asked for row in both] == told
    assert [row.is_apart for row in both] == [False] * 4
    part = compare_audits([one, less])[:4]
    assert [(row.asked, row.is_apart) for row in part] == [*zip(told, [None, None, False, False], strict=True)]


def test_a_token_of_the_vocabulary_is_shown_where_an_audit_found_facts_by_it(tmp_path: Path) -> None:
    path = write_audit(tmp_path / "a.json")
    content = json.loads(path.read_text())
    the = next(trace for trace in content["traces"] if trace["token"] == "the")
    path.write_text(json.dumps({**content, "findings": [{**the, "recall": 1.0, "high": 1.0}]}))
    asked = [row.asked for row in compare_audits([load_audit(path), load_audit(write_audit(tmp_path / "b.json"))])]
    assert "mother, behind the" in asked


def test_settings_and_tables_that_differ_are_told(tmp_path: Path) -> None:
    audits = {
        "a": load_audit(write_audit(tmp_path / "a.json")),
        "b": load_audit(write_audit(tmp_path / "b.json", table="other", seed=1)),
    }
    first, second, setting, warning = tell_audits(audits)
    assert first.startswith("a: Rote learning found")
    assert second.startswith("b: ")
    assert setting == "seed: 0 (a), 1 (b)"
    assert warning.startswith("warning: these audits are of other tables or seeds")


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
        (None, "there is no such file; name what rote audit MODEL TABLE --out X.json wrote"),
        ("{}", "is no audit; audits are compared with audits"),
        ('{"inspection": {}}', "is an audit without a table, which has no figures; audit with one"),
        ('{"verdict": "x", "traces": []}', "is damaged (at table_hash: field required); audit again"),
        ('{"verdict": "x", "tra', "is damaged (Unterminated string"),
    ],
)
def test_another_file_is_one_line(tmp_path: Path, content: str | None, message: str) -> None:
    other = tmp_path / "other.json"
    if content is not None:
        other.write_text(content)
    found = call_rote("compare", str(write_audit(tmp_path / "a.json")), str(other))
    assert (found.code, found.err.count("\n")) == (2, 1)
    assert message in found.err
