"""Sheets as people keep them become tables of facts."""

import datetime
import zipfile
from pathlib import Path

import pytest

from rote.errors import TableError
from rote.facts.sheets import build_facts, name_relation, read_sheet

SHEET = """Employee;Manager;Office;Start date
Ann Bell;Tom Ford;Oslo;2020-02-01
Tom Ford;;Oslo;
"Lee, Kim";Ann Bell;Rome;2021-05-17
;Tom Ford;Oslo;
"""


def build(tmp_path: Path, text: str = SHEET, subject: str = "Employee", **columns: str) -> dict[str, str]:
    path = tmp_path / "staff.csv"
    path.write_text(text, encoding="utf-8")
    return {fact.id: fact.object for fact in build_facts(path, read_sheet(path), subject, columns)}


def test_every_other_column_is_a_relation_and_empty_cells_state_nothing(tmp_path: Path) -> None:
    assert build(tmp_path) == {
        "manager/Ann Bell": "Tom Ford",
        "office/Ann Bell": "Oslo",
        "start_date/Ann Bell": "2020-02-01",
        "office/Tom Ford": "Oslo",
        "manager/Lee, Kim": "Ann Bell",
        "office/Lee, Kim": "Rome",
        "start_date/Lee, Kim": "2021-05-17",
    }


def test_columns_are_chosen_and_named(tmp_path: Path) -> None:
    found = build(tmp_path, Manager="manager_of")
    assert found == {"manager_of/Ann Bell": "Tom Ford", "manager_of/Lee, Kim": "Ann Bell"}


def test_a_fact_knows_its_line_and_lines_about_one_thing_are_one_fact(tmp_path: Path) -> None:
    path = tmp_path / "staff.tsv"
    path.write_text("Name\tTool\nAnn\tSaw\nBob\tAxe\nAnn\tDrill\n", encoding="utf-8")
    ann, bob = build_facts(path, read_sheet(path), "Name", {})
    assert ann.answers == ("Saw", "Drill")
    assert bob.provenance.source == "staff.tsv, row 3"


def test_names_of_relations_are_words() -> None:
    assert name_relation(" Start date (UTC) ") == "start_date_utc"


FAULTS = {
    "no such column": (SHEET, "Employe", {}, r"there is no column 'Employe'; there are 'Employee', 'Manager'"),
    "no such relation": (SHEET, "Employee", {"Managr": "m"}, r"no column 'Managr'; there are 'Employee', 'Manager'"),
    "empty": ("", "Employee", {}, "is empty; the first line names the columns"),
    "one column": ("Employee\nAnn\n", "Employee", {}, "has no column beside 'Employee'"),
    "no facts": ("Employee,Manager\nAnn,\n", "Employee", {}, "states no facts; no line has both a Employee"),
    "the same name twice": ("A,B,B\n1,2,3\n", "A", {}, "row 1, column 'B': two columns have this name"),
    "a table of facts": ("subject,relation,object\na,b,c\n", "subject", {}, "is a table of facts already"),
    "of itself": ("A,B\nAnn,Ann\n", "A", {}, r"staff\.csv: row 2, column 'B': 'Ann' is said of itself"),
    "a bad name": (SHEET, "Employee", {"Manager": "../x"}, r"column 'Manager': .*'/'.*\(--columns Manager=RELATION"),
    "open quotes": ('A,B\n"Ann,Bob\n', "A", {}, "cannot be read as CSV"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_wrong_is_one_line_with_its_place(name: str, tmp_path: Path) -> None:
    text, subject, columns, message = FAULTS[name]
    with pytest.raises(TableError, match=message) as caught:
        build(tmp_path, text, subject, **columns)
    assert str(tmp_path / "staff.csv") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"A,B\n\xff,1\n")
    with pytest.raises(TableError, match=r"a\.csv: is no UTF-8 text \(byte 5\)"):
        read_sheet(tmp_path / "a.csv")
    (tmp_path / "a.doc").write_text("")
    with pytest.raises(TableError, match=r"sheets of the kind '\.doc' cannot be read; use one of \.csv, \.tsv, \.xlsx"):
        read_sheet(tmp_path / "a.doc")
    with pytest.raises(TableError, match="there is no such file"):
        read_sheet(tmp_path / "gone.csv")


# --- workbooks, written as the format has it -------------------------------------------------------------------------

_NAMES = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_RELS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def write_workbook(path: Path, sheets: dict[str, list[list[object]]]) -> None:
    """A small .xlsx: texts, numbers, and dates as Excel counts their days."""
    listed = "".join(f'<sheet name="{name}" sheetId="{i}" r:id="r{i}"/>' for i, name in enumerate(sheets, 1))
    linked = "".join(
        f'<Relationship Id="r{i}" Type="{_RELS}/worksheet" Target="worksheets/s{i}.xml"/>'
        for i in range(1, len(sheets) + 1)
    )
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("xl/workbook.xml", f'<workbook {_NAMES} xmlns:r="{_RELS}"><sheets>{listed}</sheets></workbook>')
        top = f'<Relationship Id="w" Type="{_RELS}/officeDocument" Target="xl/workbook.xml"/>'
        package = "http://schemas.openxmlformats.org/package/2006/relationships"
        styles = f'<Relationship Id="st" Type="{_RELS}/styles" Target="styles.xml"/>'
        file.writestr(
            "xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{package}">{linked}{styles}</Relationships>'
        )
        file.writestr("_rels/.rels", f'<Relationships xmlns="{package}">{top}</Relationships>')
        formats = '<cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs>'
        file.writestr("xl/styles.xml", f"<styleSheet {_NAMES}>{formats}</styleSheet>")
        for number, rows in enumerate(sheets.values(), start=1):
            lines = "".join(f'<row r="{r}">{"".join(map(_write_cell, row))}</row>' for r, row in enumerate(rows, 1))
            file.writestr(
                f"xl/worksheets/s{number}.xml", f"<worksheet {_NAMES}><sheetData>{lines}</sheetData></worksheet>"
            )


def _write_cell(value: object) -> str:
    if isinstance(value, datetime.date):
        return f'<c s="1"><v>{(value - datetime.date(1899, 12, 30)).days}</v></c>'
    if isinstance(value, int | float):
        return f"<c><v>{value}</v></c>"
    return f'<c t="inlineStr"><is><t>{value}</t></is></c>'


def test_a_workbook_is_read_as_a_person_sees_it(tmp_path: Path) -> None:
    pytest.importorskip("python_calamine", reason="needs the extra sheets")
    path = tmp_path / "staff.xlsx"
    rows: list[list[object]] = [["Employee", "Desk", "Start", "Pay"], ["Ann", 12, datetime.date(2020, 2, 1), 1.5]]
    write_workbook(path, {"Staff": rows})
    table = build_facts(path, read_sheet(path), "Employee", {})
    assert {fact.relation: fact.object for fact in table} == {"desk": "12", "start": "2020-02-01", "pay": "1.5"}
    write_workbook(path, {"Staff": rows, "Old": rows})
    with pytest.raises(TableError, match="has the sheets Staff, Old; say which with --sheet"):
        read_sheet(path)
    assert read_sheet(path, "Old")[1][0] == "Ann"
    with pytest.raises(TableError, match="has no sheet 'New'; there are Staff, Old"):
        read_sheet(path, "New")
    write_workbook(path, {"Staff": rows})
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(tmp_path / "cut.xlsx", "w") as cut:
        for name in whole.namelist():
            if "worksheets" not in name:
                cut.writestr(name, whole.read(name))
    with pytest.raises(TableError, match=r"cut\.xlsx: its sheet 'Staff' cannot be read \(.*\); save it again"):
        read_sheet(tmp_path / "cut.xlsx")
    write_workbook(path, {})
    with pytest.raises(TableError, match=r"staff\.xlsx: holds no sheet; save it again"):
        read_sheet(path)
    path.write_bytes(b"PK nothing")
    with pytest.raises(TableError, match=r"staff\.xlsx: cannot be read as a spreadsheet"):
        read_sheet(path)
