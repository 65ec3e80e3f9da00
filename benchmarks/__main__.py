"""`python -m benchmarks`: run benchmarks and write their results."""

import argparse
import logging
import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import datasets
import torch

from benchmarks.models import MODELS, in_float32
from benchmarks.pairs import Row, UnequalWorkError
from benchmarks.report import describe_environment, render_tables, save

_NAMES = ("training", "retention", "floor", "choice", "generation", "scaling")


def main() -> None:
    """Run what was asked for; each benchmark's rows are written as soon as it ends."""
    arguments = _parse()
    torch.set_num_threads(1)
    logging.getLogger("transformers").setLevel(logging.ERROR)
    datasets.disable_progress_bars()
    works = {name: import_module(f"benchmarks.{name}").WORK for name in _NAMES}
    for name in arguments.names or _NAMES:
        with in_float32():
            try:
                rows = _run(name, arguments)
            except UnequalWorkError as error:
                sys.exit(str(error))
        said = {"environment": describe_environment(), "load": round(os.getloadavg()[0], 1)}
        rows = [{**row, **said} for row in rows]
        save(rows, arguments.out, works)
        print(render_tables(rows), flush=True)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Rote's speed beside that of others.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(_NAMES)}; by default all")
    parser.add_argument("--pairs", type=int, default=5, help="rounds in which each contender has a turn")
    parser.add_argument("--model", choices=MODELS, default=MODELS[0], help="the model")
    parser.add_argument("--out", type=Path, default=Path("benchmarks"), help="the folder of the results")
    arguments = parser.parse_args()
    if arguments.pairs < 1:
        parser.error("--pairs: at least 1")
    if unknown := set(arguments.names) - set(_NAMES):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(_NAMES)}")
    return arguments


def _run(name: str, arguments: argparse.Namespace) -> list[Row]:
    if name == "scaling":
        rows: list[Row] = import_module("benchmarks.scaling").run(arguments.model)
        return rows
    run: Callable[[str, int], list[Row]] = import_module(f"benchmarks.{name}").run
    return run(arguments.model, arguments.pairs)


if __name__ == "__main__":
    main()
