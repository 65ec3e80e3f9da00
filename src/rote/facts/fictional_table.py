"""The frozen table of fictional facts: five relations with 100 invented facts each.

`fictional/facts.csv` was written once by `save_table(invent_fictional(), ...)`. It is kept as a file, so that every
figure reported on it stays comparable even if the generator changes one day; `fictional/facts.sha256` is its hash.
"""

from functools import cache
from pathlib import Path

from rote.errors import TableError
from rote.facts.invent import invent_table
from rote.facts.reading import load_table
from rote.facts.relation import INJECTED_RELATIONS, load_shipped_relations
from rote.facts.table import FactTable

FICTIONAL = Path(__file__).parent / "fictional"
FACTS_PER_RELATION = 100
SEED = 0


def invent_fictional() -> FactTable:
    """Invent the table anew, as the frozen one was made."""
    relations = load_shipped_relations()
    return invent_table([relations[name] for name in INJECTED_RELATIONS], count=FACTS_PER_RELATION, seed=SEED)


@cache
def load_fictional() -> FactTable:
    """Load the frozen table. Raises `TableError` when the file is no longer what it was."""
    path = FICTIONAL / "facts.csv"
    table = FactTable(load_table(path).facts, seed=SEED)
    if table.content_hash != (FICTIONAL / "facts.sha256").read_text(encoding="ascii").strip():
        raise TableError(f"{path}: the frozen table was changed; install rote anew, or give your table as TABLE")
    return table
