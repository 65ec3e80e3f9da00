"""How much is kept of earlier tables? Teach invented tables one after another, each to the model of the one before.

    python scripts/later_tables.py OUT [--model rote-tiny] [--tables 5] [--facts 100] [--seeds 0 1 2] [--shares 0 0.5]
                                       [--relations mother capital author educated_at genre] [--set KEY=VALUE ...]

Every table has as many facts of each relation, about subjects of its own. For each seed and each share that is
rehearsed the matrix is printed (rows: tables; columns: after each table; accuracy on English held-out prompts), with
the figures of that seed and what each of its runs lost of the facts that its model knew before; in the end the means
over seeds of average accuracy, forgetting, backward transfer, of what is left of the first table, and of what all runs
lost, added up, of the facts that the model knew before each. OUT keeps all runs; one that is finished is not done
again.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import rote
from rote.config.loading import load_config
from rote.facts.fact import FactTable
from rote.facts.reading import save_table
from rote.facts.relation import pick_relations
from rote.runs.folder import read_json

_TABLE_SEED = 70_000
_FIGURES = ("average accuracy", "forgetting", "backward transfer", "first table", "known facts lost")


@dataclass(frozen=True)
class Row:
    """One row of tables: with which seed, and how much is rehearsed."""

    seed: int
    share: float


def invent_tables(options: argparse.Namespace, seed: int) -> list[FactTable]:
    """Tables of other subjects each; a subject that another has already is left out of the later one."""
    relations, taken, tables = pick_relations(options.relations), set[str](), []
    for number in range(options.tables):
        per_relation = -(-options.facts // len(relations))
        table = rote.invent_table(relations, count=per_relation, seed=_TABLE_SEED + 100 * seed + number)
        tables.append(FactTable(tuple(fact for fact in table if fact.id not in taken)[: options.facts]))
        taken |= {fact.id for fact in table}
    return tables


def teach_row(options: argparse.Namespace, row: Row) -> list[Path]:
    """Teach all tables of a row; returns the folders of the runs."""
    place = options.out / f"seed-{row.seed}-share-{row.share:g}"
    model, runs = options.model, []
    for number, table in enumerate(invent_tables(options, row.seed), start=1):
        file, out = place / f"table-{number}.jsonl", place / f"run-{number}"
        file.parent.mkdir(parents=True, exist_ok=True)
        save_table(table, file)
        changes = [f"seed={row.seed}", f"rehearse.share={row.share}", "examine.languages=[en]", *options.set]
        config = load_config(rote.Config, None, changes, values={"table.file": str(file), "model": model})
        rote.run(config, out=out, resume=True)
        model = str(out / "model")
        runs.append(out)
    return runs


def read_figures(runs: Sequence[Path]) -> dict[str, float]:
    """The figures of a row, from its last run."""
    found: dict[str, Any] = read_json(runs[-1] / "retention.json")
    names = ("average_accuracy", "forgetting", "backward_transfer")
    last = {cell["table"]: cell["mean"] for cell in found["cells"] if cell["after"] == len(runs) - 1}
    values = [*(found[name] for name in names), last[0], sum(map(measure_loss, runs))]
    return dict(zip(_FIGURES, values, strict=True))


def measure_loss(run: Path) -> float:
    """The share of what a run's model knew before it and no longer answers."""
    rows = [row for row in read_json(run / "side_effects.json") if row.get("known")]
    return sum(row["loss"] * row["n"] for row in rows) / max(1, sum(row["n"] for row in rows))


def print_matrix(runs: Sequence[Path]) -> None:
    """Tables down, moments across."""
    found = read_json(runs[-1] / "retention.json")
    cells = {(cell["table"], cell["after"]): f"{cell['mean']:.2f}" for cell in found["cells"]}
    for table in range(len(runs)):
        print(f"  table {table + 1}", *(f"{cells.get((table, after), ''):>6}" for after in range(len(runs))))


def main() -> None:
    """Teach every row, and print what was found."""
    options = read_options()
    for share in options.shares:
        rows = []
        for seed in options.seeds:
            runs = teach_row(options, Row(seed, share))
            rows.append(read_figures(runs))
            print(f"share {share:g}, seed {seed}: held-out prompts after each table", flush=True)
            print_matrix(runs)
            print("  lost by each run:", *(f"{measure_loss(run):.3f}" for run in runs))
            print("  " + ", ".join(f"{name} {value:.3f}" for name, value in rows[-1].items()), flush=True)
        means = ", ".join(f"{name} {fmean(row[name] for row in rows):.3f}" for name in _FIGURES)
        print(f"share {share:g}, mean of {len(rows)} seeds: {means}", flush=True)


def read_options() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="rote-tiny")
    parser.add_argument("--tables", type=int, default=5)
    parser.add_argument("--facts", type=int, default=100)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--shares", type=float, nargs="+", default=[0.0, 0.5])
    parser.add_argument("--relations", nargs="+", default=["author", "capital", "educated_at", "genre", "mother"])
    parser.add_argument("--set", nargs="*", action="extend", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    if options.tables < 2:
        parser.error("--tables: at least 2, as one alone forgets nothing")
    return options


if __name__ == "__main__":
    try:
        main()
    except rote.RoteError as error:
        sys.exit(str(error))
