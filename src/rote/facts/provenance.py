"""Where a fact comes from, as its table says. Nothing in these columns is an error: they are carried, never taught."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

_SEPARATOR = " | "


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a fact comes from; empty where the table does not say."""

    id: str = ""
    """The name of the row in the table's own world."""
    source: str = ""
    language: str = ""
    """The language that subject and object are written in."""

    def describe(self) -> dict[str, str]:
        """What is known of it, by column."""
        return {column: value for column, value in asdict(self).items() if value}

    def merge(self, other: "Provenance") -> "Provenance":
        """That of a fact that two rows tell."""
        pairs = {column: (getattr(self, column), getattr(other, column)) for column in PROVENANCE}
        return build_provenance(
            {column: _SEPARATOR.join(dict.fromkeys(filter(None, pair))) for column, pair in pairs.items()}
        )


PROVENANCE = tuple(column.name for column in fields(Provenance))
UNKNOWN = Provenance()


def build_provenance(row: Mapping[Any, Any]) -> Provenance:
    """That of a row, by column; lists are joined, numbers and objects written as text."""
    given = {column: text for column in PROVENANCE if (text := _write(row.get(column)))}
    return Provenance(**given) if given else UNKNOWN


def _write(value: object) -> str:
    if isinstance(value, list):
        return _SEPARATOR.join(filter(None, map(_write, value)))
    if isinstance(value, float) and value.is_integer():  # what pandas makes of a column of integers with gaps
        value = int(value)
    return "" if value is None else " ".join(str(value).split())
