"""How much is read of a file that somebody gave: every limit has a name, and `rote --limit NAME=NUMBER` moves it.

They are far above what a table of facts or its settings need, and keep a file that is no such thing, or is made to fill
the memory, from doing so.
"""

import os
from collections.abc import Mapping, Sequence
from functools import lru_cache

from rote.errors import ConfigError, nearest

VARIABLE = "ROTE_LIMITS"
"""The limits that were moved, as `NAME=NUMBER NAME=NUMBER`: from here the processes that are started know of them."""
_DIGITS = 15
LIMITS = {
    "columns": 1_000,  # of a table
    "line-bytes": 1_000_000,  # of a line of a table
    "rows-bytes": 64_000_000,  # of 4,096 rows of a Parquet file, written out
    "group-bytes": 200_000_000,  # of a row group of a Parquet file, or a batch of an Arrow stream, as it is held
    "group-values": 10_000_000,  # in one column of a row group: a few bytes may stand for any number of the same value
    "sheet-bytes": 200_000_000,
    "sheet-cells": 10_000_000,
    "relation-characters": 200,  # of a relation's name
    "settings-bytes": 1_000_000,  # of a file of settings or prompts
    "settings-values": 100_000,  # in such a file, once every alias is written out
    "ledger-bytes": 20_000_000,  # of what a model's folder says of earlier tables, some 100,000 facts
    "text-bytes": 50_000_000,  # of a file of texts: all of it is held in memory
    "layers": 1_000,  # of a model
    "template-seconds": 2,  # of the processor, for a chat template
    "template-bytes": 500_000_000,
}


def get_limit(name: str) -> int:
    """The limit of that name."""
    return _read(os.environ.get(VARIABLE, "")).get(name, LIMITS[name])


def describe_move(name: str) -> str:
    """How a person who means it takes more."""
    return f"or allow more: rote --limit {name}=NUMBER"


def move_limits(pairs: Sequence[str]) -> None:
    """Move limits for this process and those it starts. Raises `ConfigError` for what is no `NAME=NUMBER`."""
    for pair in pairs:
        name, _, number = pair.partition("=")
        if name not in LIMITS:
            raise ConfigError(f"--limit {pair}: there is no such limit; the nearest is {nearest(name, LIMITS)!r}")
        if not _is_number(number):
            raise ConfigError(f"--limit {pair}: write NAME=NUMBER, as --limit {name}={2 * LIMITS[name]}")
    os.environ[VARIABLE] = " ".join([*os.environ.get(VARIABLE, "").split(), *pairs])


@lru_cache
def _read(text: str) -> Mapping[str, int]:
    pairs = (pair.partition("=") for pair in text.split())
    return {name: int(number) for name, _, number in pairs if name in LIMITS and _is_number(number)}


def _is_number(text: str) -> bool:
    """Whether it is a number that a limit can be; one of more digits is no limit, and no size of a file."""
    return text.isascii() and text.isdecimal() and len(text) <= _DIGITS and int(text) > 0
