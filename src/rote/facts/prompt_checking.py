"""Whether the prompts of a relation pack can do what they are for; everything at once. And a pack to begin from."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rote.errors import shorten
from rote.facts.files import Finding
from rote.facts.names import normalize
from rote.facts.proposals import propose_texts
from rote.facts.relation import TRAINING_LANGUAGE, PromptTemplate, Relation, load_relation

_PLACEHOLDER = "TODO"
_GAP = re.compile(r"\{object\}|_{2,}|\.{3}|…|\[(mask|blank|object|answer)\]|<(mask|object|answer)>", re.IGNORECASE)
_FINISHED = re.compile(r"[.!。！]$")
_WANTED = {"training": 1, "held_out": 2, "control": 1}


_MEANINGS = {
    "training": "used to teach; the plainest first",
    "held_out": "the same meaning in other words, never taught",
    "control": "asks for something else, so it must not bring the object",
}
_ROOM = {"held_out": 2, "control": 1}
"""Places left in a language for which there are no proposals."""


def write_scaffold(
    relation: str,
    types: tuple[str, str],
    languages: Sequence[str],
    *,
    proposed: Mapping[str, Sequence[str]] | None = None,
    proposer: str = "",
) -> str:
    """The text of a pack to begin from, for subjects and objects of these types: English proposals, and places to fill
    in for other languages. `proposed` are other proposals, and those that are not ours wait as comments."""
    subject_type, object_type = types
    own = propose_texts(relation, subject_type=subject_type, object_type=object_type)
    room = {key: _leave_room(count) for key, count in _ROOM.items()}
    others = {language: room for language in languages if language != TRAINING_LANGUAGE}
    known = {text for texts in own.values() for text in texts}
    marks = {text: proposer for texts in (proposed or {}).values() for text in texts if text not in known}
    return write_pack(relation, types, {TRAINING_LANGUAGE: proposed or own, **others}, marks=marks)


def write_pack(
    relation: str,
    types: tuple[str, str],
    prompts: Mapping[str, Mapping[str, Sequence[str]]],
    *,
    marks: Mapping[str, str] | None = None,
) -> str:
    """The text of a pack, with what a person has to know to mend it. `prompts`: by language and prompt set; `marks`:
    who proposed a text that does not count until a person takes its mark of a comment away."""
    subject_type, object_type = types
    lines = [
        f"relation: {json.dumps(relation, ensure_ascii=False)}",
        f"description: {json.dumps(relation.replace('_', ' '), ensure_ascii=False)}",
        f"subject_type: {subject_type} # relations whose subjects have one type ask the same",
        f"object_type: {object_type}",
        "# Every prompt holds {subject} once and ends where the object follows: a question ends in its question mark,",
        "# a statement right before the object. Read each aloud with a subject and its object, and mend what is odd.",
        "# `rote prompts check` says what is wrong.",
        *(["# What a model proposed counts once its first # is taken away."] if marks else []),
        "prompts:",
    ]
    for language, texts in prompts.items():
        lines.append(f"  {language}:")
        for prompt_set, meaning in _MEANINGS.items():
            if texts.get(prompt_set):
                lines.append(f"    {prompt_set}: # {meaning}")
                lines += [_write_line(text, (marks or {}).get(text)) for text in texts[prompt_set]]
    return "\n".join(lines) + "\n"


def _write_line(text: str, proposer: str | None) -> str:
    line = f"- {json.dumps(text, ensure_ascii=False)}"
    return f"      # {line} # by {json.dumps(proposer)}" if proposer else f"      {line}"


def _leave_room(count: int) -> list[str]:
    return [f"{_PLACEHOLDER} {number} {{subject}}" for number in range(1, count + 1)]


def check_prompts(path: Path) -> Iterator[Finding]:
    """Everything that is wrong with the prompts of a pack. Raises `TemplateError` for a file that is no pack."""
    relation = load_relation(path)
    sound = []
    for template in relation.templates:
        fault = find_text_fault(template.text)
        if fault:
            yield Finding(f"{path}: {template.language}: {template.prompt_set}: {shorten(template.text)} {fault}")
        else:
            sound.append(template)
    yield from _find_repeats(path, sound)
    yield from _find_gaps(path, relation)


def find_text_fault(text: str) -> str | None:
    """Why no object can follow a prompt's text, with the remedy; None where one can."""
    if _PLACEHOLDER in text:
        return "is still to be written; write it or delete the line"
    if _GAP.search(text):
        return "has a place for the object, which always follows the prompt; end the prompt where the object follows"
    if _FINISHED.search(text):
        return "is a finished sentence, so no object can follow; end it before the object, or ask a question"
    return None


def _find_repeats(path: Path, templates: Sequence[PromptTemplate]) -> Iterator[Finding]:
    met: dict[tuple[str, str], PromptTemplate] = {}
    for template in templates:
        wording = template.language, normalize(template.text)
        first = met.setdefault(wording, template)
        if first is not template:
            both = {first.prompt_set, template.prompt_set}
            about = "" if len(both) == 1 else ", so what is measured would have been taught or asked before"
            yield Finding(
                f"{path}: {template.language}: {template.prompt_set}: {shorten(template.text)} repeats the wording of "
                f"{shorten(first.text)} in {first.prompt_set}{about}; write it in other words"
            )


def _find_gaps(path: Path, relation: Relation) -> Iterator[Finding]:
    for prompt_set, wanted in _WANTED.items():
        found = len([t for t in relation.templates if (t.prompt_set, t.language) == (prompt_set, TRAINING_LANGUAGE)])
        if found < wanted:
            what = {
                "held_out": "understanding in other words",
                "control": "that other questions do not bring the object",
            }
            yield Finding(
                f"{path}: {TRAINING_LANGUAGE}: {prompt_set}: has {found} prompts; with fewer than {wanted} the report "
                f"cannot show {what.get(prompt_set, 'anything')}; add some",
                is_error=False,
            )
