"""From `ReportContent` to one HTML document."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from rote.records import MEASURES, Record, order_moments
from rote.report.answers import build_answers, build_number
from rote.report.cube import build_cube
from rote.report.curves import build_curves
from rote.report.display import clean_text, format_date
from rote.report.drawing import LAYOUTS, draw_curve, draw_mark, draw_picture
from rote.report.examples import build_examples
from rote.report.fact_rows import MOST_ROWS, TaughtFact, build_fact_rows, count_facts, list_wrong
from rote.report.headline import build_picture, build_verdict
from rote.report.later_tables import build_retention
from rote.report.lines import (
    build_changes,
    build_comparison,
    build_forms,
    build_knowledge,
    build_relations,
    build_rings,
)
from rote.report.manifest import build_manifest
from rote.report.page import render_page
from rote.report.summary import Summary
from rote.report.words import FACT_SETS, MOMENTS, build_glossary, label_moment

MOST_MISTAKES = 12
"""Wrong facts that are shown at the top; the table of facts has them all."""


@dataclass(frozen=True)
class ReportContent:
    """All that a report says. Any part but the names may be empty; its section is then left out or says so."""

    title: str
    table_name: str
    model_name: str
    summary: Sequence[Mapping[str, Any]] = ()
    """Rows as in `summary.json`: moment, fact_set, prompt_set, language, measure, mean, low, high, n."""
    relations: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    """By relation, rows as those of the summary."""
    records: Sequence[Record] = ()
    taught: Sequence[TaughtFact] = ()
    """All facts of the table, whether they were asked about or not."""
    history: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    """By phase (`memorize`, `generalize`): what was logged, with step, loss and, where known, epoch and key_recall."""
    knowledge: Sequence[Mapping[str, Any]] = ()
    """Rows as in `knowledge.json`: figures by what the model knew before."""
    side_effects: Sequence[Mapping[str, Any]] = ()
    """Rows as in `side_effects.json`: what else changed, ring by ring."""
    retention: Mapping[str, Any] | None = None
    """As in `retention.json`: how each table that the model was taught is answered after each of them."""
    comparison: Mapping[str, Any] | None = None
    """As in `comparison.json`: other methods beside this one, at equal training tokens."""
    served: Mapping[str, Any] | None = None
    """As in `served.json`: the GGUF files that were exported last, and what they answer."""
    manifest: Mapping[str, Any] = field(default_factory=dict)
    """How the run was made: config, seeds, versions, hashes, precision, durations, command, date; may be nested."""


def render_report(content: ReportContent) -> str:
    """Render a report: one self-contained HTML document, the same bytes for the same content.

    Raises `RunError` when a summary row lacks one of its keys.
    """
    summary = Summary(content.summary)
    moments = order_moments([*summary.moments, *(record.moment for record in content.records)])
    page = {
        **_prepare_head(content),
        **_prepare_top(content, summary),
        **_prepare_records(content, summary),
        "knowledge": build_knowledge(content.knowledge),
        "rings": build_rings(content.side_effects),
        "changes": build_changes(content.side_effects),
        "budget": next((row["budget"] for row in content.side_effects), None),
        "retention": build_retention(content.retention) if content.retention else None,
        "comparison": build_comparison(content.comparison) if content.comparison else None,
        "served": build_forms(content.served) if content.served else None,
        "curves": _prepare_curves(content),
        "manifest": build_manifest(content.manifest),
        "glossary": build_glossary(),
        "moment_names": {name: label_moment(name) for name in moments},
        "measure_names": {name: measure.words for name, measure in MEASURES.items()},
    }
    return render_page("report.html.j2", page)


def _prepare_head(content: ReportContent) -> dict[str, Any]:
    return {
        "title": clean_text(content.title),
        "table_name": clean_text(content.table_name),
        "model_name": clean_text(content.model_name),
        "date": format_date(str(content.manifest.get("date") or "")),
    }


def _prepare_top(content: ReportContent, summary: Summary) -> dict[str, Any]:
    counts = count_facts(content.records)
    rows = build_picture(summary)
    return {
        "verdict": build_verdict(content.manifest.get("verdict")),
        "number": build_number(summary),
        "answers": build_answers(summary, content.side_effects, content.manifest),
        "pictures": [draw_picture(rows, summary.moments, layout) for layout in LAYOUTS] if rows else [],
        "main_facts": FACT_SETS[summary.main_fact_set],
        "moments": summary.moments,
        "missing_moments": [label for moment, label in MOMENTS.items() if moment not in summary.moments],
        "is_own_method": set(summary.moments) <= set(MOMENTS),
        "marks": {moment: draw_mark(moment, 8, 8) for moment in summary.moments},
        "measures": summary.measures,
        "missing_measures": [name for name in MEASURES if name not in summary.measures],
        "relations": build_relations(content.relations),
        "cube": build_cube(summary, fact_counts=counts),
        "silent": build_cube(summary, fact_counts=counts, silent=True),
    }


def _prepare_records(content: ReportContent, summary: Summary) -> dict[str, Any]:
    moments = order_moments(record.moment for record in content.records)
    rows = build_fact_rows(content.records, content.taught)
    wrong = list_wrong(rows)
    counted = {name: sum(name in row.flags for row in rows[:MOST_ROWS]) for name in ("wrong", "forgotten", "leaks")}
    return {
        "examples": build_examples(content.records, moments, fact_set=summary.main_fact_set),
        "record_moments": moments,
        "record_count": len(content.records),
        "fact_rows": rows[:MOST_ROWS],
        "fact_total": len(rows),
        "fact_filters": [("", min(len(rows), MOST_ROWS)), *counted.items()],
        "wrong_rows": wrong[:MOST_MISTAKES],
        "wrong_total": len(wrong),
        "taught_total": sum(row.is_taught for row in rows if row.wordings),
    }


def _prepare_curves(content: ReportContent) -> list[tuple[str, str, Markup]]:
    """Title, note and figure of every curve."""
    return [
        (curve.title, curve.note, draw_curve(curve, phase))
        for phase in order_moments(content.history)
        for curve in build_curves(phase, content.history[phase])
    ]
