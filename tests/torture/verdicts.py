"""What may come of a case: the same as undisturbed, or one clear line. Everything else is a finding."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from tests.torture.processes import HANGS, Ended

SAME, SAID, SILENT, TRACEBACK, UNCLEAR = "same", "one clear line", "silent", "tracebacks", "unclear"
FINDINGS = (SILENT, TRACEBACK, UNCLEAR)
_LONGEST = 2_100
"""Characters of a line that a person can still read to its end; a path of a folder deep below comes with it."""
_NAMES = re.compile(r"rote: .*?(: | \(|'.+'|\w\.json)")
"""What it is about: a file, a flag, or a setting in quotes."""
_VERBS = "add|choose|give|keep|make|mend|move|name|save|see|set|take|write"
_REMEDY = re.compile(rf"; |--\w|\bline \d+|\b(must|should|needs?) \w|\b({_VERBS}) \w|did you mean|all: ")
"""What to do about it, where it is wrong, or what would be right."""


@dataclass(frozen=True)
class Verdict:
    """What a case came to; of a finding a note that says how to see it again."""

    kind: str
    note: str = ""
    kills: int = 0
    cases: int = 1


@dataclass(frozen=True)
class Case:
    """One disturbance: the row of the table it counts in, how to see it again, and what does it."""

    part: str
    name: str
    do: Callable[[], Verdict]


def judge(ended: Ended, difference: Callable[[], str], *, may_refuse: bool) -> Verdict:
    """What a command came to; `difference` says in what the result is another one than it should be."""
    if "Traceback (most recent call last)" in ended.err or ended.code == 1 or HANGS != ended.code < 0:
        return Verdict(TRACEBACK, _tail(ended))
    if ended.code in (0, 3):
        found = difference()
        return Verdict(SILENT, f"{found} is not as undisturbed") if found else Verdict(SAME)
    if ended.code == 2 and may_refuse:
        return Verdict(SAID) if is_clear(ended.err) else Verdict(UNCLEAR, _tail(ended))
    return Verdict(UNCLEAR, f"exit code {ended.code}: {_tail(ended)}")


def is_clear(said: str) -> bool:
    """Whether the last line, and no other, says what is wrong, with what, and what to do about it."""
    errors = [line for line in said.splitlines() if line.startswith("rote: ")]
    if len(errors) != 1 or not said.endswith(f"{errors[0]}\n") or len(errors[0]) > _LONGEST:
        return False
    return bool(_NAMES.match(errors[0]) and _REMEDY.search(errors[0]))


def _tail(ended: Ended) -> str:
    return " / ".join(ended.err.strip().splitlines()[-4:])[-700:]
