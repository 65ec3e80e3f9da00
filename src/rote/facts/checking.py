"""Whether facts can be taught and examined at all: an answer must not stand in its own question.

What is checked here holds for facts from anywhere; what concerns the file they come from is in `rote.facts.reading`.
"""

import difflib
from collections.abc import Iterable, Mapping
from functools import cache

from rote.errors import TableError, TemplateError, shorten
from rote.facts.fact import Fact, FactTable
from rote.facts.names import has_words, normalize, normalize_name
from rote.facts.relation import PromptTemplate, Relation
from rote.facts.wordings import Wording, split_template


def find_fault(fact: Fact) -> str | None:
    """What makes one fact impossible to examine, with the remedy; None when nothing does."""
    subject = normalize_name(fact.subject)
    for answer in fact.answers:
        words = normalize_name(answer)
        if not words:
            return f"the object {shorten(answer)} is only punctuation, which no answer is recognised by; write a name"
        if has_words(words, subject):
            return (
                f"the subject {shorten(fact.subject)} contains its object {shorten(answer)}, so every question "
                "gives the answer away; leave the fact out or write one of the two otherwise"
            )
    if has_words(subject, normalize_name(fact.object)):
        return (
            f"the object {shorten(fact.object)} contains its subject {shorten(fact.subject)}, so a part of the answer "
            "stands in every question; leave the fact out or write one of the two otherwise"
        )
    return None


def find_leak(fact: Fact, relation: Relation) -> str | None:
    """The prompt of its relation that gives a fact's answer away, with the remedy; None when none does."""
    own_words, subject = _list_words(relation), normalize_name(fact.subject)
    for answer in fact.answers:
        words = normalize_name(answer)
        if own_words is not None and own_words.isdisjoint(words.split()):
            continue  # what stands in a prompt and not in its subject has a word of the prompt
        for template, wording in _list_wordings(relation):
            filled = normalize(template.fill(fact.subject)) if wording.is_glued else wording.fill(subject)
            if has_words(words, filled):
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


@cache
def _list_wordings(relation: Relation) -> tuple[tuple[PromptTemplate, Wording], ...]:
    return tuple((template, split_template(template)) for template in relation.templates)


@cache
def _list_words(relation: Relation) -> frozenset[str] | None:
    """Every word of a relation's prompts; None where a subject can become a part of one."""
    wordings = [wording for _, wording in _list_wordings(relation)]
    if any(wording.is_glued for wording in wordings):
        return None
    return frozenset(word for wording in wordings for word in wording.words)


def explain_unknown(name: str, known: Iterable[str]) -> str:
    """That a relation has no prompts, with the nearest that has, and what to do."""
    close = difflib.get_close_matches(name.lower(), known, n=1)
    guess = f"; did you mean {close[0]!r}? If not," if close else f" (known: {', '.join(sorted(known))});"
    return (
        f"the relation {shorten(name)} has no prompts{guess} write a pack with 'rote prompts new', in a folder prompts "
        "beside the table or named with --prompts (docs/tables.md)"
    )
