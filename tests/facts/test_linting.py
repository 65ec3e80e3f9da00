"""What the linter says about a table, and that a large one takes little memory."""

import subprocess
import sys
from pathlib import Path

import pytest

from rote.facts.linting import TableLint, find_oddity
from rote.facts.reading import ReadOptions
from rote.facts.relation import load_relations

HEAD = "subject,relation,object,aliases\n"


def lint(folder: Path, rows: str, **options: bool) -> TableLint:
    path = folder / "t.csv"
    path.write_text(HEAD + rows, encoding="utf-8")
    return TableLint(path, load_relations(), ReadOptions(**options))  # type: ignore[arg-type]


def find(folder: Path, rows: str) -> list[str]:
    """What is found, apart from the relation's having few objects."""
    texts = [finding.text.removeprefix(f"{folder / 't.csv'}: ") for finding in lint(folder, rows).find()]
    return [text for text in texts if "different objects" not in text]


def test_every_row_is_judged_and_only_those_without_an_error_count(tmp_path: Path) -> None:
    rows = "A,mother,Ann Lee\nA,mother,Ann Lee\nB,mother,B Lee\nC,mother,\nD,mother,Mum\nE,mohter,Eve\nF,mother,Flo\n"
    table = lint(tmp_path, rows)
    findings = list(table.find())
    errors = [finding.text.split(": ", 2)[1] for finding in findings if finding.is_error]
    assert errors == ["row 3", *(f"row {n}, column 'object'" for n in (4, 5, 6)), "row 7, column 'relation'"]
    assert (table.errors, table.warnings) == (5, len(findings) - 5)
    assert dict(table.facts) == {"mother": 2}
    assert table.count_objects("mother") == 2


def test_repeats_may_be_merged(tmp_path: Path) -> None:
    rows = "A,mother,Ann Lee\nA,mother,Bea Lee\n"
    assert [finding.is_error for finding in lint(tmp_path, rows).find()].count(True) == 1
    merged = lint(tmp_path, rows, merge_repeats=True)
    assert not any(finding.is_error for finding in merged.find())
    assert dict(merged.facts) == {"mother": 1}


def test_a_relation_of_the_table_is_not_taken_for_another_one_of_it(tmp_path: Path) -> None:
    table = lint(tmp_path, "A,favourite_dish,Soup\nB,favourite_dishes,Stew\n")
    assert not any(finding.is_error for finding in table.find())
    assert dict(table.facts) == {"favourite_dish": 1, "favourite_dishes": 1}


def test_objects_that_share_a_spelling_are_named(tmp_path: Path) -> None:
    (found,) = find(tmp_path, "A,author,Ann Lee,\nB,author,ann lee,\nC,author,Ann Lee,\n")
    assert found.startswith("row 3, column 'object': 'ann lee' also stands for another object of 'author'")
    (found,) = find(tmp_path, "A,author,Ann Lee,\nB,author,Eve Poe,Ann Lee\n")
    assert found.startswith("row 3, column 'object': 'Ann Lee' also stands for another object")


def test_objects_that_contain_each_other_are_named_whatever_their_order(tmp_path: Path) -> None:
    for rows in (
        "A,place_of_birth,York\nB,place_of_birth,New York\n",
        "B,place_of_birth,New York\nA,place_of_birth,York\n",
    ):
        (found,) = find(tmp_path, rows)
        assert "'New York' contains 'york', another object of 'place_of_birth'" in found
    assert find(tmp_path, "A,place_of_birth,York\nB,place_of_birth,Yorkton\nC,capital,New York\n") == []


def test_few_objects_are_easily_guessed(tmp_path: Path) -> None:
    few = "".join(f"A{n},mother,Ann {n % 9} Lee\n" for n in range(20))
    assert "has 9 different objects" in [finding.text for finding in lint(tmp_path, few).find()][-1]
    many = "".join(f"A{n},mother,Ann {n % 10} Lee\n" for n in range(20))
    assert list(lint(tmp_path, many).find()) == []


@pytest.mark.parametrize(
    ("name", "oddity"),
    [
        ("Ann Lee", None),
        ("Ann  Lee", "two spaces"),
        ("Ann\u00a0Lee", "space of another kind"),
        ("Ann\u200bLee", "invisible"),
        ("Jose\u0301", "composed form"),
        ("Jos\u00e9", None),
        ("\u0410nn", "mixes Cyrillic and Latin"),
        ("\u0410\u043d\u043d\u0430 Lee", None),
        ("\u6771\u4eac Tower", None),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", None),  # Persian needs its joiners
    ],
)
def test_names_that_are_not_what_they_look_like(name: str, oddity: str | None) -> None:
    found = find_oddity(name)
    assert (found is None) if oddity is None else (found is not None and oddity in found)


def test_a_large_table_takes_little_memory(tmp_path: Path) -> None:
    """A fiftieth of a million rows may take a fiftieth of what a million may, beside what Python itself takes."""
    path = tmp_path / "large.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write("subject,relation,object\n")
        file.writelines(f"Person {n} of Town,place_of_birth,City {n} Ville\n" for n in range(20_000))
    code = (
        "import resource, sys; from pathlib import Path; from rote.facts.linting import TableLint\n"
        "from rote.facts.relation import load_relations; relations = load_relations()\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        f"table = TableLint(Path({str(path)!r}), relations); found = list(table.find())\n"
        "print(len(found), table.facts.total(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    findings, facts, kilobytes = map(int, done.stdout.split())
    assert (findings, facts) == (0, 20_000)
    assert kilobytes < 450_000 / 50 + 2_000


def test_relations_without_packs_are_named_in_one_warning_with_packs_that_are_near(tmp_path: Path) -> None:
    path = tmp_path / "facts.csv"
    rows = ["Ann Bell,office,Oslo", "Tom Ford,office,Rome", "Ann Bell,team,Oslo", "Ann Bell,manager,Tom Ford"]
    path.write_text("\n".join(["subject,relation,object", *rows]), encoding="utf-8")
    found = [finding.text for finding in TableLint(path, load_relations()).find() if "no pack" in finding.text]
    assert len(found) == 1
    assert "row 2, column 'relation': the relations 'office', 'team' (row 4), 'manager' (row 5) have no" in found[0]
    assert "near ('team': sports_team)" in found[0]
    assert "architect" not in found[0]
    assert "headquarters" not in found[0]
