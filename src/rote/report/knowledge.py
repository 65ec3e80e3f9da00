"""What the model knew before it was taught, and what else changed: the lines of two tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rote.report.display import MISSING, clean_text, format_count, format_figure, format_number, read_number
from rote.report.words import label_prompts

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
_RINGS = {
    "same subject": "other facts about the subjects that were taught",
    "same relation": "other subjects of the relations that were taught",
    "other facts": "other facts",
    "text": "general text (nats per token, less is better)",
}
_SIGNS = {"kept": "✓ kept", "unclear": "~ unclear", "lost": "✗ lost"}


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
    """One ring with its change and verdict."""

    name: str
    before: str
    after: str
    loss: str
    interval: str
    verdict: str
    count: str


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
    """One line for each ring that was measured."""
    return [
        RingLine(
            name=_RINGS.get(row["ring"], clean_text(str(row["ring"]))),
            before=format_number(read_number(row["before"])),
            after=format_number(read_number(row["after"])),
            loss=_format_change(-row["loss"] if row["ring"] != "text" else row["loss"]),
            interval=_format_interval(row),
            verdict=_SIGNS.get(row["verdict"], clean_text(str(row["verdict"]))),
            count=format_count(int(row["n"])),
        )
        for row in rows
    ]


def _build_line(group: tuple[str, str, str], rows: Sequence[Mapping[str, Any]]) -> KnowledgeLine:
    prompt_set, language, measure = group
    members = {row["moment"]: row for row in rows if (row["prompt_set"], row["language"], row["measure"]) == group}
    first, last = members.get("before"), members.get("generalize")
    count = (last or first or {"n": 0})["n"]
    return KnowledgeLine(
        prompts=label_prompts(prompt_set, language),
        measure=_MEASURES.get(measure, clean_text(measure)),
        before=_format_cell(first),
        after=_format_cell(last),
        count=format_count(int(count)),
    )


def _format_cell(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return MISSING
    return format_figure(*(read_number(row[key]) for key in ("mean", "low", "high")))


def _format_interval(row: Mapping[str, Any]) -> str:
    ends = (row["low"], row["high"]) if row["ring"] == "text" else (-row["high"], -row["low"])
    return f"[{_format_change(ends[0])}, {_format_change(ends[1])}]"


def _format_change(value: float) -> str:
    return f"{round(value, 3) + 0.0:+.3f}"
