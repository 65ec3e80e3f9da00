"""A measure is added in one place: summary, columns of experiments, terminal and report then know it."""

import pytest
from pydantic import ValidationError
from tests.experiments.conftest import build_job, build_record
from tests.report.test_render import Page

from rote.evaluation.summary import compute_summary
from rote.experiments.experiment import Column
from rote.experiments.figures import compute_cells
from rote.records import MEASURES, Measure
from rote.report.render import ReportContent, render_report

BREVITY = Measure("brevity", lambda r: float(len(r.generated) < 4) if r.generated else None, "brevity", "few letters.")
RECORDS = [
    build_record("A", True, generated="Rob"),
    build_record("B", True, generated="Robert"),
    build_record("C", True),
]


def test_a_new_measure_is_summarised_drawn_and_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MEASURES, "brevity", BREVITY)
    summary = compute_summary(RECORDS)
    (row,) = (row for row in summary if row["measure"] == "brevity")
    assert (row["mean"], row["n"]) == (0.5, 2), "a record without an answer is left out"
    cell = compute_cells([Column(name="short", measure="brevity")], {"run": [build_job(*RECORDS)]})["run", "short"]
    assert (cell.value, cell.n) == (0.5, 2)
    said = Page(render_report(ReportContent("t", "facts.csv", "m", summary=summary))).said
    assert "few letters." in said
    assert said.count("brevity") >= 2, "as a column and in the glossary"


def test_a_measure_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValidationError, match="there is no measure 'brevity'; all: generation_accuracy, choice_"):
        Column(name="short", measure="brevity")
