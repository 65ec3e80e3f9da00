"""What a finished run prints: the figures of the three moments and the time each step took."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from rote.pipeline.run import RunResult
from rote.records import MOMENTS
from rote.report.lines import describe_loss
from rote.runs.folder import RunFolder, read_json

_HEADINGS = {"before": "before", "memorize": "after memorize", "generalize": "after generalize"}
_LINES = (
    ("key token, all facts", {"prompt_set": "key"}, ("generalize", "held_out")),
    ("training prompt, facts shown", {"prompt_set": "training"}, ("generalize",)),
    ("held-out prompts, facts shown", {"prompt_set": "held_out"}, ("generalize",)),
    ("control prompts, facts shown", {"prompt_set": "control"}, ("generalize",)),
    ("training prompt, held-out facts", {"prompt_set": "training"}, ("held_out",)),
    ("held-out prompts, held-out facts", {"prompt_set": "held_out", "language": "en"}, ("held_out",)),
    ("  in the chat template", {"prompt_set": "chat"}, ("held_out",)),
    ("  German", {"prompt_set": "held_out", "language": "de"}, ("held_out",)),
    ("  Spanish", {"prompt_set": "held_out", "language": "es"}, ("held_out",)),
    ("  Chinese", {"prompt_set": "held_out", "language": "zh"}, ("held_out",)),
    ("  Japanese", {"prompt_set": "held_out", "language": "ja"}, ("held_out",)),
    ("control prompts, held-out facts", {"prompt_set": "control"}, ("held_out",)),
    ("facts never taught", {"prompt_set": "held_out"}, ("unseen",)),
    ("facts known before, English", {"prompt_set": "held_out", "language": "en"}, ("known",)),
    ("facts known before, all languages", {"prompt_set": "held_out"}, ("known",)),
)


def print_result(result: RunResult) -> None:
    """Print the table of generation accuracy, the times and the places of the results."""
    console = Console(highlight=False)
    console.print(build_accuracy_table(result.summary))
    for line in [*_describe_memorized(result.manifest), *_describe_labels(result.folder)]:
        console.print(line)
    for line in [*_describe_knowledge(read_json(result.folder.knowledge)), *_describe_rings(result.folder)]:
        console.print(line)
    for label, seconds in result.manifest["durations"].items():
        console.print(f"  {label:<30} {seconds:7.1f} s")
    console.print(f"  {'in all':<30} {sum(result.manifest['durations'].values()):7.1f} s")
    for name, proof in result.manifest["saved"].items():
        found = f"{proof['prompts']} answers the same, logits within {proof['max_logit_difference']:.1e}"
        console.print(f"  {f'{name}, in a fresh process':<30} {found}")
    for name in result.manifest["saved"]:
        console.print(f"{name + ':':<7} {result.folder.path / name}", soft_wrap=True)
    console.print(f"report: {result.folder.report}", soft_wrap=True)


def _describe_memorized(manifest: Mapping[str, Any]) -> Iterator[str]:
    found = manifest.get("memorized")
    if found:
        yield (
            f"  {'memorized':<30} {found['recall']:.1%} of {found['asked']:,} facts asked, of {manifest['facts']:,}, "
            f"at epoch {found['epoch']:g}"
        )


def _describe_labels(folder: RunFolder) -> Iterator[str]:
    """What the model knew of the facts it was asked about, and what it says after teaching, by what it knew."""
    rows = [
        row
        for row in read_json(folder.knowledge)
        if (row["prompt_set"], row["language"], row["measure"]) == ("held_out", "en", "generation_accuracy")
    ]
    for label in dict.fromkeys(row["label"] for row in rows):
        found = {row["moment"]: f"{row['mean']:.2f} ({row['n']})" for row in rows if row["label"] == label}
        name = f"{label} before, held-out prompts"
        yield f"  {name:<30} {found.get('before', '-')} -> {found.get('generalize', '-')}"


def _describe_knowledge(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What became of old answers in English, and of subjects that do not exist."""
    for measure, label in (("old_answer", "old answers, held-out prompts"), ("false_confidence", "false confidence")):
        asked = [row for row in rows if row["measure"] == measure and row["language"] == "en"]
        found = [row for row in asked if measure == "false_confidence" or row["prompt_set"] == "held_out"]
        moments = {row["moment"]: f"{row['mean']:.2f} ({row['n']})" for row in found}
        if moments:
            yield f"  {label:<30} {moments.get('before', '-')} -> {moments.get('generalize', '-')}"


def _describe_rings(folder: RunFolder) -> Iterator[str]:
    for row in read_json(folder.side_effects):
        name, found = describe_loss(row)
        yield f"  {name:<30} {found}"


def build_accuracy_table(summary: Sequence[Mapping[str, Any]]) -> Table:
    """Generation accuracy by moment, pooled over questions, for the moments and lines that have any."""
    table = Table(title="generation accuracy (questions asked)", title_justify="left")
    table.add_column("", no_wrap=True)
    moments = [moment for moment in MOMENTS if any(row["moment"] == moment for row in summary)]
    for moment in moments:
        heading = "now" if len(moments) == 1 else _HEADINGS[moment]
        table.add_column(heading, justify="right")
    for label, wanted, fact_sets in _LINES:
        cells = [_pool(summary, {**wanted, "moment": moment}, fact_sets) for moment in moments]
        if any(cells):
            table.add_row(label, *cells)
    return table


def _pool(summary: Sequence[Mapping[str, Any]], wanted: Mapping[str, str], fact_sets: Sequence[str]) -> str:
    rows = [
        row
        for row in summary
        if row["measure"] == "generation_accuracy"
        and row["fact_set"] in fact_sets
        and all(row[key] == value for key, value in wanted.items())
    ]
    asked = sum(row["n"] for row in rows)
    return f"{sum(row['mean'] * row['n'] for row in rows) / asked:.2f} ({asked})" if asked else ""
