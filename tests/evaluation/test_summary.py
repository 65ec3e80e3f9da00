import json
from dataclasses import replace
from itertools import product
from pathlib import Path

from rote.evaluation.summary import compute_by_relation, compute_summary
from rote.records import Record, load_records, save_records

KEYS = ["moment", "fact_set", "prompt_set", "language", "measure", "mean", "low", "high", "n"]
RECORD = Record(
    moment="before",
    fact_set="held_out",
    prompt_set="training",
    language="en",
    relation="mother",
    subject='A "B" </script> 🎉',
    object="Cody Ross",
    prompt="Who?",
    generated="Cody Ross",
    correct=True,
    object_logprobs=(-0.25, -0.125),
    object_probability=0.6872892787909722,
    rank=1,
    candidates=100,
)


def test_rows_have_exactly_the_contracts_keys_and_are_json() -> None:
    rows = compute_summary([RECORD, replace(RECORD, subject="C", correct=False, rank=None, candidates=None)])
    assert [list(row) for row in rows] == [KEYS] * 3
    assert json.loads(json.dumps(rows)) == rows
    assert [(row["measure"], row["mean"], row["n"]) for row in rows] == [
        ("generation_accuracy", 0.5, 2),
        ("choice_accuracy", 1.0, 1),
        ("object_probability", 0.687289, 2),
    ]


def test_rows_come_in_a_fixed_order_whatever_that_of_the_records() -> None:
    groups = product(("generalize", "before"), ("known", "held_out"), ("-", "ja", "fr", "en", "ar", "de"))
    records = [replace(RECORD, moment=m, fact_set=f, language=code, rank=None) for m, f, code in groups]  # type: ignore[arg-type]
    rows = compute_summary(records)
    assert rows == compute_summary(records[::-1])
    order = list(dict.fromkeys((row["moment"], row["fact_set"], row["language"]) for row in rows))
    languages = ("en", "de", "ja", "ar", "fr", "-")
    assert order == list(product(("before", "generalize"), ("held_out", "known"), languages))
    assert {row["measure"] for row in rows} == {"generation_accuracy", "object_probability"}


def test_choice_accuracy_counts_first_ranks_only() -> None:
    records = [replace(RECORD, subject=str(rank), rank=rank) for rank in (1, 2, 1, 100)]
    (row,) = [row for row in compute_summary(records) if row["measure"] == "choice_accuracy"]
    assert (row["mean"], row["n"]) == (0.5, 4)
    assert row["low"] < 0.5 < row["high"]


def test_without_records_there_are_no_rows() -> None:
    assert compute_summary([]) == []


def test_records_come_back_from_parquet_as_they_were(tmp_path: Path) -> None:
    records = [RECORD, replace(RECORD, rank=None, candidates=None, generated="", object="東京")]
    save_records(records, tmp_path / "records.parquet")
    back = load_records(tmp_path / "records.parquet")
    assert back == records
    assert compute_summary(back) == compute_summary(records)


def test_each_relation_has_figures_of_its_own() -> None:
    wrong = replace(RECORD, relation="author", correct=False)
    rows = compute_by_relation([RECORD, wrong, RECORD])
    assert list(rows) == ["author", "mother"]
    assert rows["mother"] == compute_summary([RECORD, RECORD])
    assert [row["mean"] for row in rows["author"] if row["measure"] == "generation_accuracy"] == [0.0]
