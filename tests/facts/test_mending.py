"""A table is written as it was meant."""

from pathlib import Path

import pytest
from tests.cli.conftest import call_rote

from rote.facts.fact import FactObject
from rote.facts.mending import mend_table
from rote.facts.reading import load_table

UNTIDY = """\
subject,relation,object
 Gene Finley ,mother,Cody Ross
Gene Finley,mother,Ann Lee
Bo  Lind,mother,Ida  Lind
Ada Holm,language,Spanish; Catalan; Spanish
,mother,Nobody
Kim Lee,mother,Kim
"""


@pytest.fixture
def untidy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("untidy.csv").write_text(UNTIDY, encoding="utf-8")
    return Path("untidy.csv")


def test_repeats_are_merged_lists_split_and_the_rest_left_out(untidy: Path) -> None:
    mended = mend_table(untidy, {})
    assert [(fact.subject, [item.name for item in fact.objects]) for fact in mended.table] == [
        ("Gene Finley", ["Cody Ross", "Ann Lee"]),
        ("Bo Lind", ["Ida Lind"]),
        ("Ada Holm", ["Spanish", "Catalan"]),
    ]
    assert mended.left_out == 2
    assert [fact.subject for fact in mended.several] == ["Gene Finley", "Ada Holm"]


def test_what_is_no_list_is_left_and_aliases_are_kept(tmp_path: Path) -> None:
    rows = [
        "subject,relation,object,aliases",
        "Lima,city,New  York,NYC",
        "Kim,firm,Acme; Inc,Acme Corp",
        "Bo,firm,Smith &amp; Wesson,",
    ]
    (tmp_path / "t.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    objects = [fact.objects for fact in mend_table(tmp_path / "t.csv", {}).table]
    assert objects == [
        (FactObject("New York", ("NYC",)),),
        (FactObject("Acme; Inc", ("Acme Corp",)),),
        (FactObject("Smith &amp; Wesson"),),
    ]


def test_the_mended_table_is_another_file_that_needs_no_mending(untidy: Path) -> None:
    outcome = call_rote("facts", "validate", untidy, "--fix", "tidy.csv")
    assert outcome.code == 0, outcome.err
    assert "rows left out: 2; facts with several objects" in outcome.out
    assert "  Ada Holm - language - Spanish | Catalan\ntidy.csv: 3 facts, hash " in outcome.out
    assert untidy.read_text(encoding="utf-8") == UNTIDY
    assert len(load_table(Path("tidy.csv"))) == 3
    assert call_rote("facts", "validate", "tidy.csv").code == 0


def test_a_table_is_not_written_over_itself(untidy: Path) -> None:
    outcome = call_rote("facts", "validate", untidy, "--fix", "./untidy.csv")
    assert outcome.code == 2
    assert outcome.err.endswith("untidy.csv: is the table itself, which is never written over; name another file\n")
    assert untidy.read_text(encoding="utf-8") == UNTIDY
