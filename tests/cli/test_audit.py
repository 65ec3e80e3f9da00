"""`rote audit` as a person calls it."""

import json
from pathlib import Path

import pytest
from tests.cli.conftest import TABLE, call_rote, list_tree

QUICK = tuple(
    word
    for setting in ("vocabulary=6", "confirmed=1", "unseen_facts=4", "examples=[1]", "repurpose.epochs=1")
    for word in ("--set", setting)
)


@pytest.fixture
def table(workplace: Path) -> Path:
    file = workplace / "six.csv"
    file.write_text(
        TABLE + "Jo Hart,mother,Ida Penn\nLu Marsh,mother,Eva Ross\nTim Gale,mother,Una Frey\n", encoding="utf-8"
    )
    return file


def test_help_says_what_it_does_with_an_example() -> None:
    outcome = call_rote("audit", "--help")
    assert outcome.code == 0
    assert "Example: rote audit ./their-model facts.csv" in " ".join(outcome.out.split())


def test_a_model_without_any_trace_is_said_to_have_none(table: Path, model_folder: Path) -> None:
    before = list_tree(model_folder)
    outcome = call_rote("audit", model_folder, table, "--out", "audit.json", *QUICK)
    assert outcome.code == 0, outcome.err
    assert outcome.out.splitlines()[-1].startswith("No trace of rote learning: none of the 6 tokens tried")
    assert "the subject alone" in outcome.out
    assert "examples" in outcome.out
    saved = json.loads((table.parent / "audit.json").read_text(encoding="utf-8"))
    assert saved["verdict"] == outcome.out.splitlines()[-1]
    assert (saved["findings"], saved["tokens_tried"]) == ([], 6)
    assert list_tree(model_folder) == before


@pytest.mark.usefixtures("workplace")
def test_a_folder_alone_is_audited_and_told_what_that_cannot_show(model_folder: Path) -> None:
    before = list_tree(model_folder)
    outcome = call_rote("audit", model_folder, "--base", model_folder, "--out", "folder.json")
    assert outcome.code == 0, outcome.err
    assert outcome.out.splitlines()[-1].startswith("Nothing in this folder points to rote learning. Without the table")
    assert "0 of 400 moved" in outcome.out
    saved = json.loads(Path("folder.json").read_text(encoding="utf-8"))
    assert list(saved) == ["inspection"]
    assert saved["inspection"]["compared"]["moved"] == 0
    assert list_tree(model_folder) == before


def test_a_page_to_hand_over_has_the_table_and_the_folder(table: Path, model_folder: Path) -> None:
    outcome = call_rote("audit", model_folder, table, "--out", "audit.html", *QUICK)
    assert outcome.code == 0, outcome.err
    page = (table.parent / "audit.html").read_text(encoding="utf-8")
    assert outcome.out.splitlines()[-1].removesuffix(".") in page
    for part in ("Scope", "What the folder says", "Facts of the table", "Another meaning", "What this cannot show"):
        assert f"<h2>{part}</h2>" in page


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("none", "six.csv"), "none: cannot be loaded as a causal language model"),
        (("MODEL", "none.csv"), "none.csv: there is no such file"),
        (("MODEL", "facts.csv"), "the relation 'mother' has 3 facts; an audit needs 6 of each"),
        (("MODEL", "facts.csv", "--out", "audit.html"), "the relation 'mother' has 3 facts; an audit needs 6 of each"),
        (("MODEL", "six.csv", "--out", "six.csv/audit.json"), "six.csv/audit.json: cannot be written"),
        (("MODEL", "six.csv", "--out", "."), "is a folder; --out takes a file"),
        (("MODEL", "six.csv", "--set", "vocabluary=3"), "unknown setting 'vocabluary'; the nearest is 'vocabulary'"),
    ],
)
@pytest.mark.usefixtures("table")
def test_a_mistake_is_one_line(workplace: Path, model_folder: Path, words: tuple[str, ...], message: str) -> None:
    before = list_tree(workplace)
    outcome = call_rote("audit", *(str(model_folder) if word == "MODEL" else word for word in words))
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("rote: ")
    assert outcome.err.count("\n") == 1
    assert message in outcome.err
    assert list_tree(workplace) == before


@pytest.mark.usefixtures("table")
def test_a_wrong_base_is_found_before_hours_of_asking(model_folder: Path) -> None:
    outcome = call_rote("audit", model_folder, "six.csv", "--base", "none")
    assert outcome.code == 2
    assert "none: cannot be loaded as a causal language model" in outcome.err
    assert "look for traces" not in outcome.err
