"""The real facts of the embedded model's world: what `rote-tiny` was taught to know, written as data."""

import csv
from functools import cache
from pathlib import Path

from rote.facts.fact import build_fact
from rote.facts.table import FactTable

WORLD = Path(__file__).parent / "world"


@cache
def load_world() -> FactTable:
    """All facts of the world, relation by relation."""
    facts = []
    for path in sorted(WORLD.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            facts += [build_fact(row["subject"], row["relation"], row["object"]) for row in csv.DictReader(file)]
    return FactTable(tuple(facts))
