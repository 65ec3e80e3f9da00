"""The tables that `rote run` and `rote examine` print: generation accuracy only, one line per kind of question."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rote.figures import format_figure, read_figure
from rote.records import NO_LANGUAGE, Record
from rote.report.later_tables import RetentionTable, build_retention
from rote.report.lines import describe_loss
from rote.report.words import label_language
from rote.runs.folder import RunFolder, read_json

if TYPE_CHECKING:
    from rote.pipeline.run import Result

_LINES: tuple[tuple[str, Mapping[str, str], tuple[str, ...]], ...] = (
    ("key token, all facts", {"prompt_set": "key"}, ("generalize", "held_out")),
    ("training prompt, facts shown", {"prompt_set": "training"}, ("generalize",)),
    ("held-out prompts, facts shown", {"prompt_set": "held_out"}, ("generalize",)),
    ("control prompts, facts shown", {"prompt_set": "control"}, ("generalize",)),
    ("training prompt, held-out facts", {"prompt_set": "training"}, ("held_out",)),
    ("held-out prompts, held-out facts", {"prompt_set": "held_out"}, ("held_out",)),
    ("chat template, held-out facts", {"prompt_set": "chat"}, ("held_out",)),
    ("control prompts, held-out facts", {"prompt_set": "control"}, ("held_out",)),
    ("facts of earlier tables", {"prompt_set": "held_out"}, ("earlier",)),
    ("old answers that were corrected", {"prompt_set": "held_out"}, ("replaced",)),
    ("facts never taught", {"prompt_set": "held_out"}, ("unseen",)),
    ("facts known before", {"prompt_set": "held_out"}, ("known",)),
)
"""Each with what its questions have in common; a line that has several languages is followed by one for each."""
_MOMENTS = 5
"""Columns of earlier moments that a terminal has room for; the report shows them all."""


def print_result(result: "Result") -> None:
    """Print the table of generation accuracy, the times and the places of the results."""
    console, folder = Console(highlight=False, markup=False), result.folder
    assert folder is not None
    for line in describe_verdict(result.outcome["verdict"]):
        console.print(line, soft_wrap=True)
    console.print(build_accuracy_table(result.summary))
    if folder.retention.is_file():
        _print_retention(console, build_retention(read_json(folder.retention), most=_MOMENTS))
    knowledge, last = read_json(folder.knowledge), result.outcome["moments"][-1]
    said = [*_describe_memorized(result.outcome), *_describe_labels(knowledge, last)]
    for line in [*said, *_describe_knowledge(knowledge, last), *_describe_rings(folder)]:
        console.print(line, soft_wrap=True)
    for line in describe_times(result.outcome["durations"], result.outcome["estimated"]):
        console.print(line)
    for name, proof in result.outcome["saved"].items():
        found = f"{proof['prompts']} answers the same, logits within {proof['max_logit_difference']:.1e}"
        console.print(f"  {f'{name}, in a fresh process':<30} {found}")
    for name in result.outcome["saved"]:
        console.print(f"{name + ':':<7} {folder.path / name}", soft_wrap=True)
    console.print(f"report: {folder.report}", soft_wrap=True)
    question = find_question(result.records)
    if question and folder.model.is_dir():
        base = result.outcome["config"]["model"]
        words = ("rote", "ask", str(folder.model), question, "--base", base, "--top", "3")
        console.print(f"ask:    {shlex.join(words)}", soft_wrap=True)


def find_question(records: Sequence[Record]) -> str:
    """A question to begin with: a fact that was not shown, in the words that others were; empty where there is none."""
    asked = [record.prompt for record in records if (record.fact_set, record.prompt_set) == ("held_out", "training")]
    return next((prompt for prompt in asked if prompt.endswith("?")), next(iter(asked), ""))


def _print_retention(console: Console, found: RetentionTable) -> None:
    """The matrix of earlier tables, and its measures below."""
    table = Table(title="held-out prompts of each table, after each table was taught", title_justify="left")
    table.add_column("")
    for moment in found.moments:
        table.add_column(moment, justify="right")
    for line in found.lines:
        table.add_row(escape(line.name), *line.cells)
    console.print(table)
    for name, number, meaning in found.measures:
        console.print(f"  {name:<30} {number} ({meaning})", soft_wrap=True)


def describe_times(durations: Mapping[str, float], estimated: Mapping[str, float]) -> Iterator[str]:
    """What each step took beside what it was estimated to take, and how far the estimate was off."""
    for label, seconds in durations.items():
        told = f" (estimated {estimated[label]:.0f} s)" if label in estimated else ""
        yield f"  {label:<30} {seconds:7.1f} s{told}"
    yield f"  {'in all, this command':<30} {sum(durations.values()):7.1f} s"
    both = [label for label in durations if label in estimated]
    wanted, took = (sum(times[label] for label in both) for times in (estimated, durations))
    if wanted:
        yield f"  {'of it estimated':<30} {took:7.1f} s (estimated {wanted:.0f} s, off by {took / wanted - 1:+.0%})"


def describe_verdict(verdict: Mapping[str, Any] | None) -> Iterator[str]:
    """The verdict first, then what it rests on, the likely cause and the command to try next."""
    if verdict:
        sentence = verdict["sentence"]
        yield f"verdict: {sentence} ({verdict['figures']})"
        if verdict["cause"]:
            yield f"  likely cause: {verdict['cause']}"
        if verdict["next"]:
            yield f"  to try next:  {verdict['next']}"


def _describe_memorized(manifest: Mapping[str, Any]) -> Iterator[str]:
    found = manifest.get("memorized")
    if found:
        yield (
            f"  {'memorized':<30} {found['recall']:.1%} of {found['asked']:,} facts asked, of {manifest['facts']:,}, "
            f"at epoch {found['epoch']:g}"
        )


def _describe_labels(knowledge: Sequence[Mapping[str, Any]], last: str) -> Iterator[str]:
    """What the model knew of the facts it was asked about, and what it says after teaching, by what it knew."""
    rows = [
        row
        for row in knowledge
        if (row["prompt_set"], row["language"], row["measure"]) == ("held_out", "en", "generation_accuracy")
    ]
    for label in dict.fromkeys(row["label"] for row in rows):
        found = {row["moment"]: f"{row['mean']:.2f} ({row['n']})" for row in rows if row["label"] == label}
        name = f"{label} before, held-out prompts"
        yield f"  {name:<30} {found.get('before', '-')} -> {found.get(last, '-')}"


def _describe_knowledge(rows: Sequence[Mapping[str, Any]], last: str) -> Iterator[str]:
    """What became of old answers in English, and of subjects that do not exist."""
    for measure, label in (("old_answer", "old answers, held-out prompts"), ("false_confidence", "false confidence")):
        asked = [row for row in rows if row["measure"] == measure and row["language"] == "en"]
        found = [row for row in asked if measure == "false_confidence" or row["prompt_set"] == "held_out"]
        moments = {row["moment"]: f"{row['mean']:.2f} ({row['n']})" for row in found}
        if moments:
            yield f"  {label:<30} {moments.get('before', '-')} -> {moments.get(last, '-')}"


def _describe_rings(folder: RunFolder) -> Iterator[str]:
    for row in read_json(folder.side_effects):
        name, found = describe_loss(row)
        yield f"  {name:<30} {found}"


def build_accuracy_table(summary: Sequence[Mapping[str, Any]]) -> Table:
    """Generation accuracy by moment, for the moments and lines that have any; a line says which languages it pools."""
    table = Table(title="generation accuracy (questions asked)", title_justify="left")
    table.add_column("")
    moments = list(dict.fromkeys(row["moment"] for row in summary))
    for moment in moments:
        heading = "now" if len(moments) == 1 else "before" if moment == "before" else f"after\n{moment}"
        table.add_column(heading, justify="right", no_wrap=True)
    for label, wanted, fact_sets in _LINES:
        for name, language in _split(label, wanted, fact_sets, summary):
            asked = {**wanted, **language}
            table.add_row(name, *(_pool(summary, {**asked, "moment": moment}, fact_sets) for moment in moments))
    return table


def _split(
    label: str, wanted: Mapping[str, str], fact_sets: Sequence[str], summary: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[str, dict[str, str]]]:
    """A line for each language a kind of question was asked in, after one for all of them where there are several."""
    rows = [row for row in summary if _fits(row, wanted, fact_sets)]
    languages = list(dict.fromkeys(row["language"] for row in rows))
    if len(languages) > 1:
        yield f"{label} ({', '.join(languages)})", {}
        yield from ((f"  in {label_language(language)} alone", {"language": language}) for language in languages)
    elif languages:
        yield label if languages[0] == NO_LANGUAGE else f"{label} ({languages[0]})", {}


def _fits(row: Mapping[str, Any], wanted: Mapping[str, str], fact_sets: Sequence[str]) -> bool:
    is_kind = row["measure"] == "generation_accuracy" and row["fact_set"] in fact_sets
    return is_kind and all(row[key] == value for key, value in wanted.items())


def _pool(summary: Sequence[Mapping[str, Any]], wanted: Mapping[str, str], fact_sets: Sequence[str]) -> str:
    rows = [row for row in summary if _fits(row, wanted, fact_sets)]
    asked = sum(row["n"] for row in rows)
    return f"{sum(row['mean'] * row['n'] for row in rows) / asked:.2f} ({asked})" if asked else ""


def print_comparison(comparison: Mapping[str, Any]) -> None:
    """Print each kind of question with all methods below it, and how far the first is from each of the others."""
    console, methods = Console(highlight=False, markup=False), comparison["methods"]
    console.print(f"{'generation accuracy at the end':<30} {'[95% interval]':<20} the first less this")
    rows = comparison["rows"]
    for questions in dict.fromkeys(row["questions"] for row in rows):
        console.print(questions)
        for row in rows:
            if row["questions"] == questions:
                difference = _format(row["difference"], "+z.2f")
                console.print(f"  {row['method']:<28} {_format(row):<20} {difference}".rstrip(), soft_wrap=True)
    console.print("training tokens")
    for method in methods:
        console.print(f"  {method['name']:<28} {method['training_tokens']:,}", soft_wrap=True)


def _format(row: Mapping[str, Any] | None, form: str = "z.2f") -> str:
    figure = read_figure(row) if row else None
    return format_figure(figure, form) if figure else ""


def build_serving_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """What a run's model answers in each of its forms, as `proof.json` of an export has it."""
    table = Table(title="generation accuracy by what answers [95% interval]", title_justify="left")
    table.add_column("")
    forms = list(dict.fromkeys(row["form"] for row in rows))
    for form in forms:
        table.add_column(form.replace(", ", "\n"), justify="right")
    for line in dict.fromkeys(row["questions"] for row in rows):
        found = {row["form"]: row for row in rows if row["questions"] == line}
        count = next(iter(found.values()))["n"]
        table.add_row(f"{line} ({count})", *(_format(found[form]) for form in forms))
    return table
