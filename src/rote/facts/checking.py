"""Whether facts can be taught and examined at all: an answer must not stand in its own question.

What is checked here holds for facts from anywhere; what concerns the file they come from is in `rote.facts.reading`.
"""

import difflib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache

from rote.errors import TableError, TemplateError
from rote.facts.fact import Fact
from rote.facts.relation import Relation
from rote.facts.table import FactTable

_WORD = re.compile(r"[^\W_]+")
_FIRST_UNSPACED = "\u2e80"
"""From this character on lie the scripts of Chinese, Japanese and Korean, which put no space between words."""


def occurs_in(name: str, text: str) -> bool:
    """Whether a name stands in a text, whatever the case, as words of its own ("Oman" does not stand in "woman").

    In scripts without spaces it may stand anywhere.
    """
    return _stands_in(fold(name), fold(text))


def find_fault(fact: Fact) -> str | None:
    """What makes one fact impossible to examine, with the remedy; None when nothing does."""
    for answer in fact.answers:
        if not any(unicodedata.category(character)[0] in "LNS" for character in answer):
            return f"the object {shorten(answer)} is only punctuation, which no answer is recognised by; write a name"
        if occurs_in(answer, fact.subject):
            return (
                f"the subject {shorten(fact.subject)} contains its object {shorten(answer)}, so every question "
                "gives the answer away; leave the fact out or write one of the two otherwise"
            )
    if occurs_in(fact.subject, fact.object):
        return (
            f"the object {shorten(fact.object)} contains its subject {shorten(fact.subject)}, so a part of the answer "
            "stands in every question; leave the fact out or write one of the two otherwise"
        )
    return None


def find_leak(fact: Fact, relation: Relation) -> str | None:
    """The prompt of its relation that gives a fact's answer away, with the remedy; None when none does."""
    words = _list_words(relation)
    for answer in fact.answers:
        folded = fold(answer)
        if folded.isascii() and words.isdisjoint(_WORD.findall(folded)):
            continue  # what stands in a prompt and not in its subject begins or ends with a word of the prompt
        for template in relation.templates:
            if _stands_in(folded, fold(template.fill(fact.subject))):
                return (
                    f"its object {shorten(answer)} stands in the prompt {template.id!r}, which gives the answer away; "
                    "leave the fact out or reword that template"
                )
    return None


def check_table(table: FactTable, relations: Mapping[str, Relation]) -> None:
    """Check that every fact can be asked for with the given relations.

    Raises `TemplateError` for a relation without templates, and `TableError` for a fact whose answer stands in its
    subject or in one of its prompts, naming the fact and the template.
    """
    for name in table.relations:
        if name not in relations:
            raise TemplateError(explain_unknown(name, relations))
    for fact in table:
        fault = find_fault(fact) or find_leak(fact, relations[fact.relation])
        if fault:
            raise TableError(f"the fact {shorten(fact.id)}: {fault}")


def shorten(text: str, limit: int = 60) -> str:
    """A text in quotes for a message: on one line, with nothing invisible, and not longer than a glance."""
    return repr(text if len(text) <= limit else f"{text[: limit - 3]}...")


@cache
def _list_words(relation: Relation) -> frozenset[str]:
    """Every word of a relation's prompts, folded."""
    return frozenset(word for template in relation.templates for word in _WORD.findall(fold(template.text)))


def explain_unknown(name: str, known: Iterable[str]) -> str:
    """That a relation has no prompts, with the nearest that has, and what to do."""
    close = difflib.get_close_matches(name, known, n=1)
    guess = f" (did you mean {close[0]!r}?)" if close else ""
    return (
        f"the relation {shorten(name)} has no prompts{guess}; describe it in a YAML file and name that file with "
        "--set relations=[my_relation.yaml] (rote facts: --relations my_relation.yaml), see docs/tables.md; known "
        f"relations: {', '.join(sorted(known))}"
    )


def fold(text: str) -> str:
    """A text as names are compared: in one form of Unicode, whatever the case."""
    return unicodedata.normalize("NFKC", text).casefold()


def squeeze(text: str) -> str:
    """A text as names are told apart: folded, and with one space wherever there are any."""
    return " ".join(fold(text).split())


def _stands_in(needle: str, text: str) -> bool:
    start = text.find(needle)
    while start >= 0:
        end = start + len(needle)
        before, after = text[max(start - 1, 0) : start], text[end : end + 1]
        if not _is_one_word(before, needle[:1]) and not _is_one_word(needle[-1:], after):
            return True
        start = text.find(needle, start + 1)
    return False


def _is_one_word(left: str, right: str) -> bool:
    return left.isalnum() and right.isalnum() and max(left, right) < _FIRST_UNSPACED
