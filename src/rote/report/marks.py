"""What is to be said of one fact after a run: marks to look for it by, and what to try.

The report, its CSV, the pages of `rote serve` and `rote why` have them from here.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

from rote.records import Record

Mark = Literal["wrong", "forgotten", "leaks"]
TAUGHT = ("generalize", "held_out")
_SHOULD_BE_KNOWN = (*TAUGHT, "known", "earlier")
NOT_TAUGHT = "it was not taught here: nothing to try"


def find_marks(records: Sequence[Record], moments: Sequence[str]) -> Iterator[Mark]:
    """Marks of a fact by its records of all moments. An unseen fact has none, and one that was replaced should be
    forgotten.

    - `wrong`: taught, and not right now in every wording that it was asked in;
    - `forgotten`: a wording is wrong now that was right before;
    - `leaks`: taught, and a control prompt brings it now.
    """
    if not records or records[0].fact_set not in _SHOULD_BE_KNOWN:
        return
    last = [record for record in records if record.moment == moments[-1]]
    is_taught = records[0].fact_set in TAUGHT
    asked = [record for record in last if record.prompt_set != "control"]
    in_words = [record for record in asked if record.prompt_set != "key"]
    if is_taught and not all(record.correct for record in in_words or asked):
        yield "wrong"
    right_before = {_name(record) for record in records if record.correct and record.moment != moments[-1]}
    if any(not record.correct and _name(record) in right_before for record in asked):
        yield "forgotten"
    if is_taught and any(record.correct for record in last if record.prompt_set == "control"):
        yield "leaks"


def _name(record: Record) -> tuple[str, str, str]:
    return record.prompt_set, record.language, record.prompt


def advise(story: Sequence[Record], moments: Sequence[str]) -> str:
    """What to try for a fact, by its records of all moments: the first step at which it is lost decides."""
    records = [record for record in story if record.moment == moments[-1]]
    if not records:
        return "it was not asked about at the end: nothing can be said"
    if records[0].fact_set == "forgotten":
        return "it was to be forgotten: no answer should bring it"
    if records[0].fact_set not in (*TAUGHT, "neighbours", "other_relations"):
        return NOT_TAUGHT
    right = {name: [record.correct for record in records if record.prompt_set == name] for name in _SETS}
    if not all(right["key"]):
        return "not memorized, as its key token does not bring it: more epochs (--set memorize.epochs=...)"
    lost = {_name(record) for record in records if record.prompt_set == "training" and not record.correct}
    if any(_name(record) in lost and record.correct for record in story if record.moment != "before"):
        return (
            "answered in the words that were taught before the last stage, and not after it: a lower rate, or rote "
            "lines beside it (--set generalize.learning_rate=..., --set generalize.rote_lines=...)"
        )
    held = "memorized by its key token" if right["key"] else "whether it is memorized was not measured"
    if not all(right["training"]):
        return (
            f"{held}, and not found by the prompts that were taught: more facts shown or more epochs "
            "(--set generalize.facts=..., --set generalize.epochs=...)"
        )
    if not all([*right["held_out"], *right["chat"]]):
        return (
            "answered in the words that were taught and not in all others: more training prompts in the relation's "
            "pack (--set generalize.prompts=all)"
        )
    if any(right["control"]):
        return "other questions about its subject bring it too: contrasts (--set generalize.contrasts=...)"
    return "nothing to mend: every question about it is answered, and no other brings it"


_SETS = ("key", "training", "held_out", "chat", "control")
