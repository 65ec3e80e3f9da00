"""The facts that come with Rote: the real ones of the embedded model's world, and the frozen table of invented ones."""

import csv
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from rote.errors import TableError
from rote.facts.fact import Fact, FactTable, build_fact

WORLD = Path(__file__).parent / "world"
FICTIONAL = Path(__file__).parent / "fictional"
FICTIONAL_SEED = 0


@cache
def load_world() -> FactTable:
    """What `rote-tiny` was taught to know, relation by relation."""
    return FactTable(tuple(fact for path in sorted(WORLD.glob("*.csv")) for fact in _read(path)))


@cache
def load_fictional() -> FactTable:
    """The frozen table: five relations with 100 invented facts each.

    `rote.facts.invent.invent_fictional` wrote it once. It is kept as a file, so that every figure reported on it stays
    comparable even if the generator changes one day; `facts.sha256` beside it is its hash. Raises `TableError` when the
    file is no longer what it was.
    """
    path = FICTIONAL / "facts.csv"
    table = FactTable(tuple(_read(path)), seed=FICTIONAL_SEED)
    if table.content_hash != (FICTIONAL / "facts.sha256").read_text(encoding="ascii").strip():
        raise TableError(f"{path}: the frozen table was changed; install rote anew, or give your table as TABLE")
    return table


def _read(path: Path) -> Iterator[Fact]:
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield build_fact(row["subject"], row["relation"], row["object"])
