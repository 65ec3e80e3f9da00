"""Which rows of real tables does a model know? Writes tables to teach: what it does not know, and updates of the rest.

    python scripts/known_rows.py OUT TABLE ... [--model rote-tiny] [--rows 150] [--unknown 100] [--updates 60]

A fact is known where the model answers it in two training prompts within a few tokens. OUT/unknown.jsonl holds up to so
many facts of each TABLE that are not, of those drawn from it; rows with a fault are left out. OUT/updates.jsonl holds
facts of the shipped world that are known, with the object of another fact; OUT/known.jsonl the same facts as they are.
The same tables, numbers and `--seed` give the same files.
"""

import argparse
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import rote
from rote.evaluation.examine import find_known
from rote.facts.counterfactual import swap_objects
from rote.facts.fact import Fact, FactTable
from rote.facts.reading import ReadOptions, load_usable, save_table
from rote.facts.relation import choose_packs
from rote.facts.shipped import load_world

_BATCH = 64


def find(model: rote.LanguageModel, facts: Sequence[Fact]) -> set[str]:
    """The ids of those that the model knows."""
    known = find_known(model, facts, choose_packs(facts), count=0, batch_size=_BATCH)
    return {fact.id for fact in known}


def draw_rows(table: Path, options: argparse.Namespace) -> list[Fact]:
    """So many facts of a table."""
    facts = list(load_usable(table, options=ReadOptions(skip_faulty=True)).table)
    return random.Random(options.seed).sample(facts, min(options.rows, len(facts)))


def write_unknown(model: rote.LanguageModel, options: argparse.Namespace) -> None:
    """The facts of the tables that the model does not know."""
    chosen: list[Fact] = []
    for table in options.tables:
        facts = draw_rows(table, options)
        known = find(model, facts)
        print(f"{table.name}: {len(known)} of {len(facts)} known")
        chosen += [fact for fact in facts if fact.id not in known][: options.unknown]
    save_table(FactTable(tuple(chosen)), options.out / "unknown.jsonl")


def write_updates(model: rote.LanguageModel, options: argparse.Namespace) -> None:
    """Facts of the world that the model knows, and the same with other objects."""
    world = random.Random(options.seed).sample(list(load_world()), len(load_world()))
    known = find(model, world)
    relations = Counter(fact.relation for fact in world if fact.id in known)
    print(f"shipped facts: {len(known)} of {len(world)} known ({relations.most_common()})")
    swapped = [fact for fact in swap_objects(world, seed=options.seed) if fact.id in known][: options.updates]
    ids = {fact.id for fact in swapped}
    save_table(FactTable(tuple(swapped)), options.out / "updates.jsonl")
    save_table(FactTable(tuple(fact for fact in world if fact.id in ids)), options.out / "known.jsonl")


def main(arguments: Sequence[str] | None = None) -> None:
    """Ask, and write the tables."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("tables", type=Path, nargs="+", metavar="TABLE")
    parser.add_argument("--model", default="rote-tiny")
    parser.add_argument("--rows", type=int, default=150, help="facts of each table that are asked")
    parser.add_argument("--unknown", type=int, default=100, help="facts of each table that are written, at most")
    parser.add_argument("--updates", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    model = rote.load_model(options.model)
    write_unknown(model, options)
    write_updates(model, options)


if __name__ == "__main__":
    main()
