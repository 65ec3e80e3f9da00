"""`RESULTS.md`: what holds in short, all claims by model, then the tables of each experiment."""

from collections.abc import Iterator, Sequence

from rote.experiments.claims import ClaimRow, format_ours, format_paper, format_size
from rote.experiments.experiment import list_experiments
from rote.experiments.tables import format_rows
from rote.results.claims_by_model import compare_models, group_claims, list_models
from rote.results.entries import Entry, begin_large
from rote.results.in_short import write_in_short

STALE = "stale: measured with an earlier version of the code"
_HOW_TO_READ = """\
Figures are generation accuracy unless said otherwise, as `mean [95% interval] (questions)`; intervals take facts as
clusters and add Student's interval over the seeds, which is wide with two or three; with one seed they say nothing of
how another training would come out. A claim holds when its whole interval does, and is open when the interval crosses
the bound. Behind a difference or a ratio are the two figures that it is made of.

Ours is memorize-then-generalize: facts are memorized behind a key token, then half of those of each relation (k=50:
half of a hundred, or of fewer where a command says so) or one (k=1) are shown behind training prompts. Held-out facts
were memorized and not shown, held-out prompts are wordings that were never shown. Control prompts ask something else
about the same subject, where the object is a wrong answer. Fine-tuning is shown all facts behind prompts, those that
are asked too. Training tokens do not count texts that are retained. docs/glossary.md has the other words.

`gemma-3-270m` and `smollm2-135m` are the models of `rote models fetch`, whose 4-bit weights are read back to float32,
the latter tuned for instructions; the hub's weights of these names may come to other figures. Nothing is retained
unless the runs of an experiment say otherwise. `rote-tiny` is taught in the paper's plain setting, models of 100 M to
1 B parameters with what fits their size (docs/real_models.md): random tokens in the rote lines (noise), every training
prompt, twice unless a run says how often, and beside them contrasts, other questions that are held where the untrained
model had them. So columns compare recipes as well as models. Experiments ask in wordings, relations and languages of
their own: figures of one name are compared within a table, not across tables. The paper's own figures are of
Qwen2.5-1.5B; what other papers found names them."""


def list_missing(entries: Sequence[Entry]) -> list[str]:
    """The experiments that are declared and have no entry."""
    return [name for name in list_experiments() if name not in {entry.name for entry in entries}]


def write_page(entries: Sequence[Entry]) -> Iterator[str]:
    """The lines of `RESULTS.md`."""
    models = list_models(entries)
    named = ", ".join(f"`{model}`" for model in models)
    yield "# Results"
    yield ""
    yield f"Written by `rote results` from the records of finished jobs{f' of {named}' * bool(named)}."
    if models:
        yield from ("", "## In short", "")
        yield from (f"- **{line.lead}.** {line.text}" for line in write_in_short(entries))
    yield from ("", "## How to read this", "", _HOW_TO_READ, *_say_what_lacks(entries))
    if len(models) > 1:
        yield from ("", "## Where models agree and where they differ")
        for group in compare_models(entries):
            yield from ("", f"{group.heading}:", "", *(f"- {item}" for item in group.items))
    if models:
        yield from ("", "## Claims", "")
        yield from format_rows(("claim", "experiment", "paper", "wanted", *models), _format_claims(entries, models))
    for entry in entries:
        yield from _write_section(entry)


def _say_what_lacks(entries: Sequence[Entry]) -> Iterator[str]:
    """What is older than the code, not finished, or found elsewhere."""
    if any(entry.stale for entry in entries):
        yield ""
        yield "What is marked stale was measured, and its intervals computed, with an earlier version of the code; it"
        yield "is kept until it is done again."
    missing = list_missing(entries)
    if missing:
        yield ""
        yield f"Declared, but not finished here: {', '.join(f'`{name}`' for name in missing)}."
    yield ""
    yield "What single runs show is in the docs: the default settings on real models (docs/real_models.md), and taught"
    yield "models in the number formats they are served in (docs/serving.md)."


def _format_claims(entries: Sequence[Entry], models: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """A line for each claim, with what was found on each model."""
    for found in group_claims(entries).values():
        first = next(iter(found.values()))
        cells = (_format_claim(found[model]) if model in found else "-" for model in models)
        yield first["text"], f"`{first['experiment']}`", format_paper(first) or "-", first["bound"], *cells


def _format_claim(row: ClaimRow) -> str:
    return f"{format_ours(row)} **{row['verdict']}** ({format_size(row)}{', stale' * row['stale']})"


def _write_section(entry: Entry) -> Iterator[str]:
    yield ""
    yield f"## {entry.heading}"
    if entry.stale:
        yield ""
        yield f"**{begin_large(STALE)}.**"
    yield ""
    yield f"{entry.description} {entry.seeds} seed(s): `{entry.command}`"
    for number, table in enumerate(entry.tables):
        yield ""
        yield from format_rows(table.head, table.rows)
        if not number:
            yield from (line for note in entry.notes for line in ("", note))
    for row in entry.claims:
        if row["why"]:
            yield ""
            yield f"*{row['text']}*: {row['verdict']}. {begin_large(row['why'])}."
