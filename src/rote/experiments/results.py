"""`RESULTS.md` and `results/claims.json`: every finished experiment, written from the records of its trials."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rote.errors import RunError
from rote.experiments.claims import ClaimRow, judge_claims
from rote.experiments.experiment import Experiment, list_experiments
from rote.experiments.figures import Trials
from rote.experiments.reproduce import format_figure, load_finished
from rote.experiments.tables import format_table
from rote.runs.files import replace_file


@dataclass(frozen=True)
class Finished:
    """An experiment with the trials that are finished."""

    name: str
    experiment: Experiment
    trials: Trials
    claims: Sequence[ClaimRow]

    @property
    def seeds(self) -> int:
        """For how many seeds all runs are there."""
        return min(len(members) for members in self.trials.values())


def write_results(folder: Path, *, trials: Path, model: str, seeds: int) -> list[Finished]:
    """Write both files into `folder`; returns what they show. Raises `RunError` where no experiment is finished."""
    finished = list(_collect(trials, model=model, seeds=seeds))
    if not finished:
        raise RunError(f"{trials}: no experiment is finished for {model}; run: rote reproduce NAME --out {trials}")
    with replace_file(folder / "RESULTS.md") as draft:
        draft.write_text("\n".join(_write_page(finished, model)) + "\n", encoding="utf-8")
    with replace_file(folder / "results" / "claims.json") as draft:
        rows = [row for item in finished for row in item.claims]
        draft.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return finished


def _collect(store: Path, *, model: str, seeds: int) -> Iterator[Finished]:
    for name, experiment in list_experiments().items():
        trials = load_finished(experiment, model=model, seeds=seeds, out=store)
        if trials:
            yield Finished(name, experiment, trials, list(judge_claims(name, experiment, trials, model=model)))


def _write_page(finished: Sequence[Finished], model: str) -> Iterator[str]:
    missing = [name for name in list_experiments() if name not in {item.name for item in finished}]
    yield "# Results"
    yield ""
    yield f"Written by `rote results` from the records of finished trials; the model is `{model}`. Figures are"
    yield "generation accuracy unless said otherwise, as `mean [95% interval] (questions)`; intervals take facts as"
    yield "clusters. Every experiment uses the paper's plain setting (nothing retained) unless its runs say otherwise."
    yield "The paper's own figures are those of Qwen2.5-1.5B, a model some 160 times as large."
    if missing:
        yield ""
        yield f"Declared, but not finished here: {', '.join(f'`{name}`' for name in missing)}."
    yield ""
    yield "## Claims"
    yield ""
    yield "| claim | paper | ours | wanted | seeds | verdict |"
    yield "|---|---|---|---|---|---|"
    for item in finished:
        for row in item.claims:
            paper = row["paper"] or "-"
            cells = (row["text"], paper, format_figure(row), row["bound"], str(row["seeds"]), f"**{row['verdict']}**")
            yield f"| {' | '.join(cells)} |"
    for item in finished:
        yield from _write_section(item)


def _write_section(item: Finished) -> Iterator[str]:
    letter = f" ({item.experiment.letter})" if item.experiment.letter else ""
    yield ""
    yield f"## {item.experiment.title}{letter}"
    yield ""
    description = item.experiment.description
    command = f"`rote reproduce {item.name} --seeds {item.seeds}`"
    yield f"{description[:1].upper()}{description[1:]}. {item.seeds} seed(s): {command}"
    yield ""
    yield from format_table(item.experiment, item.trials)
    for row in item.claims:
        if row["why"]:
            yield ""
            yield f"*{row['text']}*: {row['verdict']}. {row['why'][:1].upper()}{row['why'][1:]}."
