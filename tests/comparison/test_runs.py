"""Runs beside one another: the figures are those of the records, and what is no run is named."""

from pathlib import Path
from typing import Any

import pytest

from rote.comparison.runs import (
    describe_ends,
    format_comparison,
    format_settings,
    load_run,
    load_settings,
    pick_last_moments,
)
from rote.errors import RunError
from rote.records import Record, save_records
from rote.runs.folder import RunFolder, write_json


def build_record(subject: str, *, correct: bool, **changes: Any) -> Record:
    values: dict[str, Any] = {
        "moment": "generalize",
        "fact_set": "held_out",
        "prompt_set": "held_out",
        "language": "en",
        "relation": "mother",
        "object": "B",
        "prompt": "?",
        "generated": "",
        "object_logprobs": (-0.5,),
        "object_probability": 0.6,
        "rank": None,
        "candidates": None,
    }
    return Record(subject=subject, correct=correct, **{**values, **changes})


def build_records(*correct: bool, **changes: Any) -> list[Record]:
    """One record for each fact."""
    return [build_record(f"S{number}", correct=value, **changes) for number, value in enumerate(correct)]


def split(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_one_run_is_a_column_of_its_figures() -> None:
    """Wilson's interval of one half in 3 questions, which have the variance that the mean over 4 facts shows."""
    lines = list(format_comparison({"mine": build_records(True, True, False, False)}))
    assert split(lines[0]) == ["moment", "facts", "prompts", "language", "mine"]
    assert [split(line) for line in lines[2:]] == [
        ["generalize", "held_out", "held_out", "en", "0.500 [0.125, 0.875] (4)"]
    ]


def test_of_two_runs_the_difference_is_paired_by_fact() -> None:
    first, second = build_records(True, False, True, False), build_records(True, True, True, True)
    head, _, line = format_comparison({"a": first, "b": second})
    assert split(head)[-3:] == ["a", "b", "second - first"]
    assert split(line)[-1] == "+0.500 [-0.419, +1.000]"
    (*_, same) = format_comparison({"a": first, "b": first})
    assert split(same)[-1] == "+0.000 [-0.530, +0.530]", "four facts that agree are no proof for others"


def test_three_runs_have_no_difference_and_a_row_may_be_missing() -> None:
    runs = {name: build_records(True, True) for name in ("a", "b")}
    _, _, line = format_comparison({**runs, "c": []})
    assert split(line)[-1] == ""
    assert len(split(line)) == 7


def test_two_runs_without_a_row_in_common() -> None:
    lines = [
        split(line) for line in format_comparison({"a": build_records(True), "b": build_records(True, language="de")})
    ]
    assert [(line[3], bool(line[4]), bool(line[5]), line[6]) for line in lines[2:]] == [
        ("en", True, False, ""),
        ("de", False, True, ""),
    ]


def test_rows_come_in_the_order_of_the_run() -> None:
    records = [
        *build_records(True, moment="before", prompt_set="control"),
        *build_records(True, moment="before", fact_set="generalize"),
        *build_records(True, moment="memorize", prompt_set="key", language="-"),
        *build_records(True, moment="before", prompt_set="key", language="-"),
    ]
    lines = [split(line)[:3] for line in format_comparison({"a": records})][2:]
    assert lines == [
        ["before", "generalize", "held_out"],
        ["before", "held_out", "key"],
        ["before", "held_out", "control"],
        ["memorize", "held_out", "key"],
    ]


def test_a_job_is_named_by_either_of_its_files(tmp_path: Path) -> None:
    records = build_records(True, False)
    save_records(records, tmp_path / "abc.parquet")
    write_json(tmp_path / "abc.json", {})
    assert load_run(tmp_path / "abc.parquet") == load_run(tmp_path / "abc.json") == records


def test_a_run_folder_has_the_records_of_all_moments(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    moments = ["before", "fine_tune"]  # whatever its method calls them
    for moment in moments:
        folder.records(moment).parent.mkdir(exist_ok=True)
        save_records(build_records(True, moment=moment), folder.records(moment))
    write_json(folder.identity, {})
    with pytest.raises(RunError, match="this run is not finished"):
        load_run(tmp_path)
    write_json(folder.manifest, {"moments": moments, "stages": [{"name": "fine_tune"}]})
    assert [record.moment for record in load_run(tmp_path)] == moments


def test_settings_that_differ_are_named_and_other_facts_warned_of(tmp_path: Path) -> None:
    for name, tuning, table in (("full", "full", "abc"), ("lora", "lora", "abc"), ("other", "full", "xyz")):
        folder = RunFolder(tmp_path / name)
        write_json(folder.identity, {"config": {"seed": 0, "tuning": tuning}, "table": {"hash": table}})
        write_json(folder.manifest, {})
    settings = {name: load_settings(tmp_path / name) for name in ("full", "lora", "other")}
    assert list(format_settings({name: settings[name] for name in ("full", "lora")})) == [
        "tuning: full (full), lora (lora)"
    ]
    differ, warning = format_settings({name: settings[name] for name in ("full", "other")})
    assert differ == "table.hash: abc (full), xyz (other)"
    assert warning.startswith("warning: these runs were not taught the same facts")
    write_json(tmp_path / "job.json", {"config": {"table": {"count": 3}}})
    assert load_settings(tmp_path / "job.parquet") == {"table.count": 3}
    assert load_settings(tmp_path / "records_alone.parquet") == {}
    both = {"full": settings["full"], "job": load_settings(tmp_path / "job.json")}
    assert list(format_settings(both)) == [], "what one of them does not say is no difference"
    invented = {str(seed): {"seed": seed, "table.kind": "invented"} for seed in (0, 1)}
    assert list(format_settings(invented))[-1].startswith("warning")
    fictional = {str(seed): {"seed": seed, "table.kind": "fictional"} for seed in (0, 1)}
    assert list(format_settings(fictional)) == ["seed: 0 (0), 1 (1)"]
    assert list(format_settings({"full": settings["full"], "records alone": {}})) == []


def test_the_last_moment_is_that_of_the_last_records() -> None:
    records = [*build_records(True, moment="before"), *build_records(False, True, moment="memorize")]
    assert pick_last_moments([records, []]) == [records[1:], []]


def test_the_ends_of_two_methods_stand_beside_one_another() -> None:
    ours = [*build_records(True, moment="memorize"), *build_records(True, False)]
    last = pick_last_moments([ours, build_records(True, True, moment="fine_tune")])
    *_, line = format_comparison(dict(zip(("ours", "other"), last, strict=True)))
    assert split(line)[0] == "end"
    assert split(line)[-1].startswith("+0.500 [")
    assert list(describe_ends({"ours": ours, "other": last[0]})) == ["end: generalize (ours), end (other)"]
    assert not list(describe_ends({"ours": ours, "again": ours, "none": []}))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.json", None, "none.parquet: there is no such file"),
        ("none", None, "none: there is no such folder; give a run folder, or the .json or .parquet file of a job"),
        ("notes.txt", b"x", "is no run"),
        ("bad.parquet", b"not parquet", "bad.parquet: cannot be read as records"),
        ("empty.parquet", b"", "empty.parquet: cannot be read as records"),
    ],
)
def test_what_is_no_run_is_named(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(RunError) as caught:
        load_run(tmp_path / name)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_table_of_something_else_is_no_run(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"colour": ["red"]}), tmp_path / "other.parquet")
    with pytest.raises(RunError, match="cannot be read as records"):
        load_run(tmp_path / "other.parquet")


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not a run folder"):
        load_run(tmp_path)
