"""Subjects that do not exist, made of parts of those that do: what a model says about them, it makes up."""

import random
from collections.abc import Collection, Sequence


def recombine_names(names: Sequence[str], *, count: int, seed: int, taken: Collection[str] = ()) -> list[str]:
    """At most `count` new names, each the beginning of one name and the end of another; none is in `taken`.

    Names of several words are cut between words, those of one word in their middle.
    """
    rng = random.Random(f"recombine/{seed}")
    known = {name.casefold() for name in (*names, *taken)}
    found: list[str] = []
    for _ in range(50 * count):
        if len(found) == count or len(names) < 2:
            break
        first, second = rng.sample(names, 2)
        name = _join(first, second)
        if name and name.casefold() not in known:
            known.add(name.casefold())
            found.append(name)
    return found


def _join(first: str, second: str) -> str | None:
    one, other = first.split(), second.split()
    if len(one) > 1 and len(other) > 1:
        return " ".join([*one[: len(one) // 2], *other[len(other) // 2 :]])
    if len(one) == len(other) == 1:
        return first[: len(first) // 2] + second[len(second) // 2 :].lower()
    return None
