"""Flags and settings that say how a table is read, and which one is checked."""

from pathlib import Path

import pytest
from tests.cli.conftest import TABLE, call_rote

from rote.cli.options import TableFlags, load_settings
from rote.facts.shipped import FICTIONAL


def test_the_table_of_a_configuration_is_checked_as_it_says(workplace: Path) -> None:
    (workplace / "own.csv").write_text(TABLE.replace("subject", "Name") + ",mother,Eve Orr\n", encoding="utf-8")
    (workplace / "own.yaml").write_text("table: {file: own.csv, columns: {subject: Name}}\n", encoding="utf-8")
    outcome = call_rote("facts", "validate", "--config", "own.yaml")
    assert outcome.code == 2
    assert "mother: facts: 3, different objects: 3" in outcome.out
    assert outcome.err.startswith("rote: own.csv: errors: 1, warnings: ")
    named = call_rote("facts", "validate", "--set", "table.file=facts.csv")
    assert (named.code, named.out.splitlines()[-1][:20]) == (0, "facts.csv: facts: 3,")
    made = call_rote("facts", "validate", "--set", "table.kind=invented")
    assert (made.code, made.err) == (2, "rote: table.kind invented: is made by Rote and needs no check; name a TABLE\n")


def test_without_a_table_the_shipped_one_is_checked(workplace: Path) -> None:
    count = sum(1 for _ in (FICTIONAL / "facts.csv").open(encoding="utf-8")) - 1
    assert call_rote("facts", "validate").out.splitlines()[-1].startswith(f"facts.csv: facts: {count}, warnings: ")


@pytest.mark.parametrize("command", ["facts show", "facts validate", "run", "examine rote-tiny", "audit rote-tiny"])
@pytest.mark.parametrize("flag", ["--column subject=Name", "--merge-repeats"])
def test_flags_about_a_table_need_one(workplace: Path, command: str, flag: str) -> None:
    outcome = call_rote(*command.split(), *flag.split())
    said = f"rote: {flag.split()[0]} does nothing without a TABLE; add it, or leave this out\n"
    assert (outcome.code, outcome.err) == (2, said)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            "examine rote-tiny facts.csv --out facts.csv/a.parquet",
            "facts.csv/a.parquet: cannot be written (nothing",
        ),
        ("examine rote-tiny facts.csv --out .", ".: is a folder; --out takes a file"),
        (
            "prompts new boss --out facts.csv/boss.yaml",
            "facts.csv/boss.yaml: cannot be written (nothing",
        ),
        ("reproduce mian --list", "unknown experiment 'mian'; the nearest is 'main'"),
        ("run facts.csv --dry-run --against memorize_then_generalize", "--against memorize_then_generalize: is the"),
        (
            "sweep sweep.yaml --print slurm --processes 2",
            "--processes does nothing beside --print; leave",
        ),
    ],
)
def test_what_would_be_lost_or_does_nothing_is_said_at_once(workplace: Path, words: str, said: str) -> None:
    outcome = call_rote(*words.split())
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(f"rote: {said}")


def test_a_table_takes_the_place_of_one_that_would_be_made_with_its_relations(workplace: Path) -> None:
    (workplace / "quick.yaml").write_text("table: {kind: invented, relations: [capital], count: 2}\nseed: 3\n")
    settings = load_settings(Path("quick.yaml"), None, table=TableFlags(Path("facts.csv")))
    assert (settings.table.kind, settings.table.relations, settings.table.count, settings.seed) == ("file", (), None, 3)
    (workplace / "own.yaml").write_text("table: {file: facts.csv, relations: [mother], count: 2}\n")
    kept = load_settings(Path("own.yaml"), None, table=TableFlags(Path("facts.csv")))
    assert (kept.table.relations, kept.table.count) == (("mother",), 2)


def test_what_a_sheet_lacks_and_what_it_says_twice_is_named(workplace: Path) -> None:
    rows = "Employee,Manager,Office\nAnn,Bo,Rome\nAnn,Bo,Oslo\nCid,Bo,\n"
    (workplace / "staff.csv").write_text(rows, encoding="utf-8")
    outcome = call_rote("facts", "from", "staff.csv", "--subject", "Employee", "--out", "new.csv")
    assert (
        "office: 1 facts with 1 different objects, 1 of them with several answers (Ann); none of Cid\n" in outcome.out
    )
