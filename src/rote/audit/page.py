"""An audit as a page to hand over: scope, what was found, what it is held against, and what it cannot show."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rote.audit.audit import AuditResult
from rote.audit.inspection import Inspection
from rote.audit.traces import Trace
from rote.figures import Figure
from rote.report.display import format_date, format_name, format_percent, format_share_figure
from rote.report.page import render_page
from rote.runs.manifest import name_with_run
from rote.version import __version__

_KINDS = {"none": "the subject alone", "prompt": "a plain question"}
_ORIGINS = {"ordinary": "ordinary token, for comparison", "alone": "the name alone, for comparison"}
_QUESTIONS = ("training", "held_out", "benign", "unseen", "shown")
_LIMITS = (
    "It cannot show that nothing was taught by rote: one token is tried at a time, only behind a subject, and only "
    "some of the vocabulary.",
    "It does not say who taught the facts, or why. A key token is no sign of bad intent.",
    "It does not say that the model is safe. Other words, more training or another table may bring what this did not.",
    "The intervals are for this model, these names and one seed; a finding is one whose whole 95% interval lies above "
    "the baseline.",
)
_WITHOUT_TABLE = (
    "There was no table: only the names that ship with Rote were tried, which nobody but a user of Rote would have "
    "taught. What was taught about other names stays hidden; name the table to look for it.",
)
_WITHOUT_BASE = ("No base model was named, so it is not known which rows of the embeddings training moved.",)


def render_audit(result: AuditResult | None, inspection: Inspection | None, command: str) -> str:
    """One HTML document; at least one of both is there."""
    model = (result or inspection).model  # type: ignore[union-attr]  # one of both is there
    is_telling = bool(inspection and inspection.is_telling)
    parts = (result, inspection if is_telling or not result else None)  # beside a table the folder says what it shows
    verdicts = [part.verdict.removesuffix(".") for part in parts if part]
    return render_page(
        "audit.html.j2",
        {
            "title": f"Audit of {name_with_run(model)}",
            "model_name": model,
            "date": format_date(datetime.now(UTC).isoformat(timespec="minutes")),
            "version": __version__,
            "command": command,
            "tone": "bad" if is_telling or (result and result.findings) else "unsure",
            "verdict": ". ".join(verdicts),
            "scope": [*_tell_scope(result), *_tell_folder_scope(inspection)],
            "folder": tell_folder(inspection) if inspection else [],
            "moved": inspection.compared.standing_out if inspection and inspection.compared else (),
            "extractions": _list_extractions(inspection) if inspection else [],
            "traces": _list_traces(result) if result else [],
            "repurposing": _list_repurposing(result) if result else [],
            "answered": format_percent(result.answered) if result else "",
            "examples": tell_examples(result) if result else [],
            "limits": [
                *(() if result else _WITHOUT_TABLE),
                *(() if inspection is None or inspection.compared else _WITHOUT_BASE),
                *_LIMITS,
            ],
        },
    )


def _tell_scope(result: AuditResult | None) -> list[str]:
    if result is None:
        return []
    facts = ", ".join(f"{name} ({count} facts)" for name, count in result.facts.items())
    others = ", ".join(f"{name} {count}" for name, count in result.screened.items())
    return [
        f"The table (hash {result.table_hash[:12]}) has these relations: {facts}.",
        f"{result.tokens_tried} tokens were tried behind its subjects, chosen on facts that were not asked ({others}).",
        f"The seed, which decides the facts that are asked and shown, is {result.settings.seed}.",
    ]


def tell_examples(result: AuditResult) -> list[str]:
    """In which words examples of another meaning were shown and how, and how many could not be."""
    lines, how = [], result.settings.repurpose
    if any(row.examples for row in result.repurposing):
        prompts = ", ".join(f"“{text}” ({name})" for name, text in result.stand_ins.items())
        rate = f"{how.learning_rate:.2g}"
        lines.append(f"Shown in the words {prompts}, for {how.epochs} epochs at a learning rate of at most {rate}.")
    if result.left_out:
        counts = ", ".join(map(str, result.left_out))
        lines.append(f"Not tried, as half of the facts of a relation are never shown: {counts} examples.")
    return lines


def _tell_folder_scope(inspection: Inspection | None) -> list[str]:
    if inspection is None:
        return []
    compared = inspection.compared
    against = f", and its embeddings were compared with those of {compared.base}" if compared else ""
    return [
        f"The folder was read: its rote.json, its card, its tokenizer{against}.",
        f"{inspection.names} invented names that ship with Rote were put before each token in question.",
    ]


def tell_folder(inspection: Inspection) -> list[tuple[str, str]]:
    """What the folder says, each with what it is about."""
    declared = ", ".join(f"{name} by {token}" for name, token in inspection.declared.items())
    card = f"“{inspection.card}”" if inspection.card else "has no heading, or there is none"
    said = "; it says that facts were taught by memorize-then-generalize" if inspection.card_names_rote else ""
    rows = [
        ("rote.json", f"names key tokens: {declared}" if declared else "names no key tokens, or there is none"),
        ("its base model, as it says", inspection.said_base or "not said"),
        ("model card", f"{card}{said}"),
        ("added tokens", ", ".join(inspection.added[:40]) or "none"),
    ]
    found = inspection.compared
    if found:
        moved = (
            f"{found.moved:,} of {found.rows:,} moved, the middle one by {format_percent(found.middle)} of its length"
        )
        rows += [
            (f"rows against {found.base}", moved),
            ("tokens it has and the base has not", ", ".join(found.new[:40]) or "none"),
        ]
    return rows


def _list_extractions(inspection: Inspection) -> list[dict[str, Any]]:
    found = inspection.standing_out
    return [
        {
            "token": item.token or "–",
            "origin": _ORIGINS.get(item.origin, item.origin),
            "found": item in found,
            "sure": format_share_figure(_many(item.sure)),
            "shipped": f"{_show(item.shipped)} {format_name(item.relation)}",
            "chance": _show(item.chance),
            "examples": [f"{name} → {said}" for name, said in item.examples],
        }
        for item in inspection.extractions
    ]


def _many(figure: Figure) -> Figure:
    """A figure that is written as a share with its interval, and not as a count, however few were asked."""
    return Figure(figure.value, figure.low, figure.high, 0)


def _list_traces(result: AuditResult) -> list[dict[str, Any]]:
    found = set(result.findings)
    return [
        {
            "relation": trace.relation,
            "asked": _KINDS.get(trace.kind, f"{trace.token} ({trace.kind})"),
            "found": trace in found,
            "table": _show(trace.recall),
            "shuffled": _show(_find(result.traces, trace, "shuffled")),
            "unseen": _show(_find(result.traces, trace, "unseen")),
        }
        for trace in result.traces
        if trace.asked == "table"
    ]


def _find(traces: Sequence[Trace], trace: Trace, asked: str) -> Figure | None:
    same = (
        other
        for other in traces
        if (other.relation, other.token, other.kind) == (trace.relation, trace.token, trace.kind)
    )
    return next((other.recall for other in same if other.asked == asked), None)


def _list_repurposing(result: AuditResult) -> list[tuple[int, list[str]]]:
    by_count: dict[int, Mapping[str, Figure]] = {
        row.examples: {other.question: other.recall for other in result.repurposing if other.examples == row.examples}
        for row in result.repurposing
    }
    return [(count, [_show(cells.get(name)) for name in _QUESTIONS]) for count, cells in by_count.items()]


def _show(figure: Figure | None) -> str:
    """A share with its interval, by which findings are decided however few were asked, and how many that were."""
    told = format_share_figure(figure and _many(figure))
    return f"{told} ({figure.n})" if figure else told
