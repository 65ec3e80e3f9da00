"""How much is forgotten, at what price, over several runs? Make the models of runs that differ in their seed forget.

    python scripts/forgetting.py OUT RUN [RUN ...] [--relation mother] [--facts 10]
                                 [--methods npo gradient_difference] [--set KEY=VALUE ...]

Of each run so many facts of one relation are drawn, others for each, and each method makes the model forget them. OUT
keeps all that `rote forget` writes; what is finished is not done again. In the end the command is printed that puts
everything into RESULTS.md.
"""

import argparse
import random
import sys
from pathlib import Path

from rote.cli.forget import describe_forgetting
from rote.config.forgetting import ForgetConfig
from rote.config.loading import load_config
from rote.errors import RoteError, TableError
from rote.facts.fact import FactTable
from rote.facts.reading import load_table, save_table
from rote.pipeline.forget_plan import build_forget_plan
from rote.pipeline.forgetting import forget
from rote.runs.folder import RunFolder
from rote.runs.reporting import SilentReporter


def draw_rows(run: Path, options: argparse.Namespace, number: int) -> Path:
    """Write the facts of a run that are to go, drawn with a seed of its own."""
    facts = load_table(RunFolder(run).table).select(options.relation)
    if len(facts) < options.facts:
        raise TableError(f"{run}: has {len(facts)} facts of {options.relation}, fewer than --facts {options.facts}")
    path = options.out / f"rows-{number}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_table(FactTable(tuple(random.Random(number).sample(facts, options.facts))), path)
    return path


def main() -> None:
    """Forget with each method, and print what was found."""
    options = read_options()
    folders = []
    for number, run in enumerate(options.runs):
        rows = draw_rows(run, options, number)
        for method in options.methods:
            settings = load_config(ForgetConfig, None, [f"seed={number}", f"method={method}", *options.set])
            out = options.out / f"{method}-{number}"
            plan = build_forget_plan(run / "model", rows, settings)
            found = forget(plan, out, resume=True, reporter=SilentReporter())
            print(f"{run}, {method}:", *describe_forgetting(found.outcome), sep="\n", flush=True)
            folders.append(out)
    print("rote results", *(f"--add {folder}" for folder in folders))


def read_options() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--relation", default="mother")
    parser.add_argument("--facts", type=int, default=10)
    parser.add_argument("--methods", nargs="+", default=["npo", "gradient_difference"])
    parser.add_argument("--set", nargs="*", action="extend", default=[], metavar="KEY=VALUE")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except RoteError as error:
        sys.exit(str(error))
