"""`rote forget`"""

import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rote.cli.options import (
    ColumnOption,
    JsonOption,
    MergeOption,
    PickleOption,
    QuietOption,
    RemoteCodeOption,
    SetOption,
    SkipOption,
    build_load_options,
    build_read_options,
    choose_prompts,
    print_json,
    say_what_was_read,
)

if TYPE_CHECKING:
    from rich.table import Table

_TAUGHT = {"nothing": "left out, none taught", "relearn": "taught again", "teach_unseen": "new ones taught"}
_ASKED = (
    ("forgotten", "training", "others,\ntraining"),
    ("forgotten", "held_out", "others,\nheld-out"),
    ("relearned", "held_out", "taught,\nheld-out"),
)
"""What is asked after relearning: the forgotten facts that were not shown, and what was."""


def forget(
    model: Annotated[Path, typer.Argument(help="The model of a finished run: RUN/model.")],
    rows: Annotated[Path, typer.Argument(help="A table of the facts to forget, each as it was taught.")],
    out: Annotated[Path, typer.Option(help="Folder of the model and of what was measured.")],
    prompts: Annotated[
        list[Path] | None,
        typer.Option(help="Relation packs (YAML) or folders of them, in the place of all that the run had."),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file of settings (docs/settings.md).")] = None,
    set_: SetOption = None,
    column: ColumnOption = None,
    merge_repeats: MergeOption = False,
    skip_faulty: SkipOption = False,
    trust_remote_code: RemoteCodeOption = False,
    allow_pickle: PickleOption = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what was begun in --out.")] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make a taught model unlearn facts. Measures what that cost, and how fast they come back.

    Forgetting is not erasure (docs/forgetting.md). `--set method=gradient_difference` takes the other method.

    Example: rote forget runs/mine/model gone.csv --out runs/forgot
    """
    from rote.config.forgetting import ForgetConfig
    from rote.config.loading import load_config
    from rote.runs.opening import find_run_of_model

    settings = load_config(ForgetConfig, config, set_)
    find_run_of_model(model)  # a mistake in its name is said before torch is loaded
    options = build_read_options(column, merge_repeats, skip_faulty)
    packs = choose_prompts(prompts, None)

    from rote.arithmetic import flush_denormals
    from rote.cli.progress import build_reporter
    from rote.cli.stopping import stoppable
    from rote.pipeline.forget_plan import build_forget_plan
    from rote.pipeline.forgetting import forget as do_forget

    plan = build_forget_plan(model, rows, settings, options=options, prompts=packs)
    say_what_was_read(rows, plan.left_out, plan.plan.neutral)
    words = ["rote", *sys.argv[1:]]
    again = words if resume else [*words, "--resume"]
    loading = build_load_options(None, trust_remote_code, allow_pickle)
    with flush_denormals(), stoppable(build_reporter(quiet=quiet), again) as reporter:
        result = do_forget(plan, out, resume=resume, loading=loading, reporter=reporter, command=shlex.join(words))
    if json:
        print_json({**result.outcome, "folder": str(result.folder.path)})
    else:
        _print(result.outcome, result.folder.path)


def _print(outcome: Mapping[str, Any], folder: Path) -> None:
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    for line in describe_forgetting(outcome):
        console.print(line, soft_wrap=True)
    console.print(build_change_table(outcome["rows"]))
    if outcome["relearning"]:
        console.print(build_relearn_table(outcome["relearning"]))
    console.print(outcome["note"], soft_wrap=True)
    console.print(f"model:  {folder / 'model'}", soft_wrap=True)


def describe_forgetting(outcome: Mapping[str, Any]) -> Iterator[str]:
    """What was done, and its price, a line each."""
    from rote.report.words import FACT_SETS

    rest = outcome["answered"][-1] if outcome["answered"] else 1.0
    count = outcome["forgotten_facts"]
    yield (
        f"{count} fact{'s' * (count != 1)}, {outcome['method']}: {outcome['updates']} updates, {outcome['epochs']:g} "
        f"epochs; of their rote lines and training prompts {rest:.1%} still bring the object"
    )
    for name, row in outcome["pooled"].items():
        kept = f"; {row['kept']['mean']:.3f} of {row['kept']['n']} right answers kept" if row["kept"] else ""
        before, after = row["before"], row["after"]
        yield f"  {FACT_SETS[name]:<28} {before['mean']:.3f} -> {after['mean']:.3f} ({after['n']}){kept}"
    yield "mean log-probability of the object, without control prompts:"
    for name in (name for name in ("forgotten", "unseen") if name in outcome["pooled"]):
        row = outcome["pooled"][name]
        yield f"  {FACT_SETS[name]:<28} {row['logprob_before']:.1f} -> {row['logprob_after']:.1f}"


def build_change_table(rows: Sequence[Mapping[str, Any]]) -> "Table":
    """Generation accuracy before and after, by kind of question; `forgetting.json` has every language apart."""
    from rich.table import Table

    from rote.report.words import FACT_SETS, PROMPT_SETS

    table = Table(title="generation accuracy (questions), rank among candidates", title_justify="left")
    table.add_column()  # alone may be wrapped: a figure that is cut is none
    for heading in ("before", "after", "highest\nlanguage", "rank"):
        table.add_column(heading, no_wrap=True)
    for fact_set in dict.fromkeys(row["fact_set"] for row in rows):
        table.add_row(FACT_SETS[fact_set])
        own = [row for row in rows if row["fact_set"] == fact_set]
        for prompt_set in dict.fromkeys(row["prompt_set"] for row in own):
            asked = [row for row in own if row["prompt_set"] == prompt_set]
            table.add_row(f"  {PROMPT_SETS[prompt_set]}", *_show_change(asked))
    return table


def _show_change(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """All languages of one kind of question together, the one that is answered most often afterwards, and the rank in
    the first."""
    count = sum(row["after"]["n"] for row in rows)
    before, after = (sum(row[when]["mean"] * row[when]["n"] for row in rows) / count for when in ("before", "after"))
    worst = max(rows, key=lambda row: row["after"]["mean"])
    several = len(rows) > 1
    highest = f"{worst['after']['mean']:.2f} {worst['language']}" if several else ""
    ranks = [
        f"{row['rank_before']:g} -> {row['rank_after']:g}{' ' + row['language'] if several else ''}"
        for row in rows
        if row["rank_after"] is not None
    ]
    return [f"{before:.2f}", f"{after:.2f} ({count})", highest, ranks[0] if ranks else ""]


def build_relearn_table(rows: Sequence[Mapping[str, Any]]) -> "Table":
    """What comes back of the facts that were not taught again, beside what came of those that were."""
    from rich.table import Table

    table = Table(title="relearning: generation accuracy (questions)", title_justify="left")
    table.add_column()
    for heading in (*(heading for _, _, heading in _ASKED), "others,\nlog-prob."):
        table.add_column(heading, no_wrap=True)
    for moment, count in dict.fromkeys((row["moment"], row["count"]) for row in rows):
        own = [row for row in rows if (row["moment"], row["count"]) == (moment, count)]
        found = {(row["fact_set"], row["prompt_set"]): row["figure"] for row in own}
        cells = [found.get((fact_set, prompt_set)) for fact_set, prompt_set, _ in _ASKED]
        shown = [f"{cell['mean']:.2f} ({cell['n']})" if cell else "" for cell in cells]
        table.add_row(f"{count} {_TAUGHT[moment]}", *shown, f"{_average_logprob(own):.1f}")
    return table


def _average_logprob(rows: Sequence[Mapping[str, Any]]) -> float:
    """Of the forgotten facts that were not taught again, over all that asks for them."""
    asked = [row for row in rows if row["fact_set"] == "forgotten"]
    return float(sum(row["logprob"] * row["figure"]["n"] for row in asked) / sum(row["figure"]["n"] for row in asked))
