"""More English wordings for a relation, as a model writes them: what it is asked, and which lines can be used."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rote.errors import shorten
from rote.facts.fact import find_name_fault
from rote.facts.names import normalize
from rote.facts.prompt_checking import find_text_fault
from rote.facts.relation import SUBJECT

WANTED = 10
"""Wordings that are asked for; of more the first count, as the last may be cut."""
_LONGEST = 200
_MARK = re.compile(r"\s*(?:\d+\s*[.):]|[-*•])\s*")
_QUOTES = "\"'`“”‘’ "
_OTHER_PLACE = re.compile(r"[{}\[\]<>]")


@dataclass
class MoreWordings:
    """What a model proposed."""

    taken: list[str] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    """Texts, each with the reason."""

    def add_to(self, texts: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
        """The wordings of a relation by prompt set, with those that were taken by turns to train and held out."""
        more = {"training": self.taken[::2], "held_out": self.taken[1::2]}
        return {key: [*found, *more.get(key, ())] for key, found in texts.items()}


def write_message(relation: str, subject_type: str, object_type: str, examples: Sequence[str]) -> str:
    """What a model that follows instructions is asked."""
    name = relation.replace("_", " ")
    return (
        f"Write {WANTED} different English prompts that ask for the {name} of a {subject_type}; the answer is a "
        f"{object_type}.\nWrite {SUBJECT} once in each, where the name of the {subject_type} belongs. Each prompt is a "
        "question that ends in a question mark, or a statement that breaks off right before the answer. Do not write "
        "answers. One prompt to a line, numbered, and nothing else. Use other words than these:\n"
        + "\n".join(f"- {text}" for text in examples)
    )


def write_beginning(relation: str, subject_type: str, object_type: str, examples: Sequence[str]) -> str:
    """The beginning of a list that a model goes on with which was made to go on with texts."""
    name = relation.replace("_", " ")
    head = f"Many ways to ask for the {name} of a {subject_type} ({SUBJECT}); the answer, a {object_type}, follows:"
    return "\n".join([head, *(f"{number}. {text}" for number, text in enumerate(examples, 1)), f"{len(examples) + 1}."])


def join_lines(drawn: Iterable[str]) -> str:
    """The first line of each text that goes on with such a list, where it is whole."""
    return "\n".join(f"- {text.splitlines()[0]}" for text in drawn if "\n" in text or text.endswith(("?", ":")))


def judge_wordings(said: str, known: Iterable[str]) -> MoreWordings:
    """The lines of what a model wrote that are wordings, taken or refused by the rules of `rote prompts check`.

    `known` are all texts that the pack has already.
    """
    found = MoreWordings()
    met = {normalize(text): text for text in known}
    for text in dict.fromkeys(_list_lines(said)):
        if len(found.taken) == WANTED:
            break
        fault = _find_fault(text)
        twin = met.setdefault(normalize(text), text) if fault is None else None
        if fault is None and twin is not text:
            fault = f"repeats the wording of {shorten(str(twin))}"
        if fault:
            found.refused.append((text, fault))
        else:
            found.taken.append(text)
    return found


def _list_lines(said: str) -> Iterator[str]:
    """Lines that are numbered or hold the subject, without their mark and quotes; the first goes on with a list."""
    for number, line in enumerate(said.splitlines()):
        mark = _MARK.match(line)
        text = line[mark.end() if mark else 0 :].strip(_QUOTES)
        if text and (mark or SUBJECT in text or not number):
            yield text


def _find_fault(text: str) -> str | None:
    if text.count(SUBJECT) != 1:
        return f"must contain {SUBJECT} exactly once"
    if len(text) > _LONGEST:
        return f"is longer than {_LONGEST} characters"
    return find_name_fault(text) or find_text_fault(text) or _find_other_place(text)


def _find_other_place(text: str) -> str | None:
    return "has another place than that of the subject" if _OTHER_PLACE.search(text.replace(SUBJECT, "")) else None
