"""The lines of the report's plain tables: relation by relation, what was known before, and what else changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rote.figures import Figure, read_figure, read_number
from rote.records import MOMENTS, order_moments
from rote.report.display import (
    MISSING,
    clean_text,
    format_count,
    format_figure,
    format_name,
    format_number,
    format_share_figure,
)
from rote.report.summary import Questions, Summary
from rote.report.words import FACT_SETS, label_prompts

LABELS = {
    "known": "known before: all prompts were answered right",
    "partly": "partly known before: some prompts were answered right",
    "conflicting": "conflicting: the model was confident of another answer",
    "unknown": "unknown before",
    "invented": "subjects that do not exist",
}
_MEASURES = {
    "generation_accuracy": "right answer",
    "old_answer": "old answer",
    "false_confidence": "something, with confidence",
}
RINGS = {
    "same subject": "other facts about the subjects that were taught",
    "same relation": "other subjects of the relations that were taught",
    "other facts": "other facts",
}
_TEXT = "general text (nats per token, the logarithm of perplexity; less is better)"
Tone = Literal["good", "unsure", "bad"]
_SIGNS = {"kept": "✓ kept", "unclear": "~ unclear", "lost": "✗ lost"}


@dataclass(frozen=True)
class RelationLine:
    """One relation: which questions stand for it; by key token at the last moment, in words at the first and last."""

    name: str
    questions: str
    key: str
    before: str
    after: str
    count: str


@dataclass(frozen=True)
class KnowledgeLine:
    """One line: what is asked, what is counted, and the figure at the first and the last moment."""

    prompts: str
    measure: str
    before: str
    after: str
    count: str


@dataclass(frozen=True)
class RingLine:
    """One ring of facts: what was lost of what was known, and what was won."""

    name: str
    known: str
    lost: str
    won: str
    verdict: str
    tone: Tone


@dataclass(frozen=True)
class ChangeLine:
    """Text or a task, with its change and verdict."""

    name: str
    before: str
    after: str
    change: str
    verdict: str
    tone: Tone
    count: str


@dataclass(frozen=True)
class MethodLine:
    """One method at one kind of question: its figure, and the first method's less its own."""

    method: str
    figure: str
    difference: str
    count: str


def build_relations(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[RelationLine]:
    """A line for each relation that was taught: its held-out facts, or those shown again where it has no others.

    None for a single relation, which is the whole.
    """
    summaries = {name: Summary(of_one) for name, of_one in rows.items()}
    asked = {name: summary.find_main_questions(summary.main_fact_set) for name, summary in summaries.items()}
    lines = [_build_relation(name, summaries[name], questions) for name, questions in asked.items() if questions]
    return lines if len(lines) > 1 else []


def build_knowledge(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[KnowledgeLine]]]:
    """The lines by label; control prompts and labels that no fact has are left out."""
    blocks = []
    for label, title in LABELS.items():
        asked = [row for row in rows if row["label"] == label and row["prompt_set"] != "control"]
        groups = dict.fromkeys((row["prompt_set"], row["language"], row["measure"]) for row in asked)
        lines = [_build_line(group, asked) for group in groups]
        if lines:
            blocks.append((title, lines))
    return blocks


def build_rings(rows: Sequence[Mapping[str, Any]]) -> list[RingLine]:
    """One line for each ring of facts."""
    return [
        RingLine(
            name=RINGS.get(row["ring"], clean_text(str(row["ring"]))),
            known=format_count(int(row["known"])) + (" (few)" if row["few"] else ""),
            lost=format_share_figure(read_loss(row)),
            won=format_share_figure(read_figure(row["won"]) if row["won"] else None),
            verdict=_format_verdict(row),
            tone=_find_tone(row),
        )
        for row in rows
        if "known" in row
    ]


def build_changes(rows: Sequence[Mapping[str, Any]]) -> list[ChangeLine]:
    """One line for general text and for each task: the change is that of the measure, upwards or downwards."""
    return [
        ChangeLine(
            name=_TEXT if row["ring"] == "text" else clean_text(f"{row['ring']}, {row['measure']}"),
            before=format_number(read_number(row["before"])),
            after=format_number(read_number(row["after"])),
            change=format_figure(_read_change(row), "+z.3f"),
            verdict=_format_verdict(row),
            tone=_find_tone(row),
            count=format_count(int(row["n"])),
        )
        for row in rows
        if "known" not in row
    ]


def build_comparison(comparison: Mapping[str, Any]) -> list[tuple[str, list[MethodLine]]]:
    """The methods that were asked, by kind of question; the first block says how much training each of them had."""
    tokens = [
        MethodLine(clean_text(str(method["name"])), format_count(int(method["training_tokens"])), "", "")
        for method in comparison["methods"]
    ]
    blocks = [("training tokens", tokens)]
    for questions in dict.fromkeys(row["questions"] for row in comparison["rows"]):
        rows = [row for row in comparison["rows"] if row["questions"] == questions]
        blocks.append((clean_text(str(questions)), [_build_method(row) for row in rows]))
    return blocks


def _build_method(row: Mapping[str, Any]) -> MethodLine:
    difference = read_figure(row["difference"]) if row["difference"] else None
    return MethodLine(
        method=clean_text(str(row["method"])),
        figure=format_share_figure(read_figure(row)),
        difference=format_figure(difference, "+z.2f") if difference else "",
        count=format_count(int(row["n"])),
    )


def build_forms(served: Mapping[str, Any]) -> list[tuple[str, list[MethodLine]]]:
    """The forms a model was exported in, by kind of question, each less the model in float32."""
    rows = [{**row, "method": row["form"]} for row in served["rows"]]
    asked = dict.fromkeys(row["questions"] for row in rows)
    return [(clean_text(str(name)), [_build_method(row) for row in rows if row["questions"] == name]) for name in asked]


def describe_loss(row: Mapping[str, Any]) -> tuple[str, str]:
    """A row of `side_effects.json` as a terminal or a card shows it: its name, and all it says in one line."""
    name = clean_text(str(row["ring"]))
    if "known" not in row:
        before, after = (format_number(read_number(row[key])) for key in ("before", "after"))
        return name, f"{before} -> {after}, worse by {format_figure(read_loss(row), 'z.3f')}: {row['verdict']}"
    known = f"{row['known']} known facts" + (", which are few" if row["few"] else "")
    won = f", won {format_figure(read_figure(row['won']), 'z.3f')} of the others" if row["won"] else ""
    return name, f"lost {format_figure(read_loss(row), 'z.3f')} of {known}: {row['verdict']}{won}"


def read_loss(row: Mapping[str, Any]) -> Figure | None:
    """The loss of a row as a figure; None where nothing was known, so that there was nothing to lose."""
    return read_figure({**row, "mean": row["loss"]}) if row["n"] else None


def _read_change(row: Mapping[str, Any]) -> Figure | None:
    """A change for the worse is one upwards for text, and downwards for all else."""
    loss = read_loss(row)
    return loss if loss is None or row["ring"] == "text" else Figure(-loss.value, -loss.high, -loss.low, loss.n)


def _find_tone(row: Mapping[str, Any]) -> Tone:
    """A fall beyond the budget is one to look at, even where its interval leaves it open."""
    if row["verdict"] == "lost":
        return "bad"
    fell = bool(row["n"]) and float(row["loss"]) > float(row["budget"])
    return "unsure" if fell or row["verdict"] == "unclear" else "good"


def _format_verdict(row: Mapping[str, Any]) -> str:
    return _SIGNS.get(row["verdict"], clean_text(str(row["verdict"])))


def _build_line(group: tuple[str, str, str], rows: Sequence[Mapping[str, Any]]) -> KnowledgeLine:
    prompt_set, language, measure = group
    members = {row["moment"]: row for row in rows if (row["prompt_set"], row["language"], row["measure"]) == group}
    first = members.pop(MOMENTS[0], None)
    last = members[order_moments(members)[-1]] if members else None
    count = (last or first or {"n": 0})["n"]
    return KnowledgeLine(
        prompts=label_prompts(prompt_set, language),
        measure=_MEASURES.get(measure, clean_text(measure)),
        before=format_share_figure(read_figure(first) if first else None),
        after=format_share_figure(read_figure(last) if last else None),
        count=format_count(int(count)),
    )


def _build_relation(name: str, summary: Summary, asked: Questions) -> RelationLine:
    first, last = (summary.find(asked, moment) for moment in (summary.moments[0], summary.moments[-1]))
    prompts = label_prompts(asked.prompt_set, asked.language)
    by_key = summary.select(fact_set=asked.fact_set, prompt_set="key")
    return RelationLine(
        name=format_name(name),
        questions=f"{FACT_SETS[asked.fact_set]}, {prompts[:1].lower()}{prompts[1:]}",
        key=format_share_figure(summary.find(by_key[0], summary.moments[-1]) if by_key else None),
        before=format_share_figure(first),
        after=format_share_figure(last),
        count=format_count(last.n) if last else MISSING,
    )
