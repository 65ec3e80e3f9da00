"""What the pages show: plain data for the templates, in the report's words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from rote.records import NO_LANGUAGE, Record
from rote.report.display import MISSING, clean_text, format_count, shorten_text
from rote.report.lines import RINGS, build_changes, build_rings
from rote.report.one_fact import Wording
from rote.report.words import FACT_SETS, PROMPT_SETS, label_moment, label_prompts
from rote.serving.content import ServedRun
from rote.serving.index import FILTERS, NOT_ASKED, FactEntry, FactIndex, Match

ROWS = 50
"""Lines of a page."""
FILTER_NAMES = {"": "all", "wrong": "wrong now", "forgotten": "forgotten", "leaks": "leaks under control prompts"}
_SETS = {**FACT_SETS, "replaced": "replaced answers", NOT_ASKED: "taught, not asked about"}
_NAME, _TEXT = 80, 400
"""Characters of a name and of an answer that are shown."""

assert set(FILTER_NAMES) == {"", *FILTERS}


@dataclass(frozen=True)
class Page:
    """One page of a list, with the addresses of its neighbours; empty where there is none."""

    rows: Sequence[Any]
    total: str
    place: str
    previous: str
    following: str


def cut_page(found: Sequence[Any], number: int, path: str, **query: str) -> Page:
    """Page `number` (from 1) of what was found; the last one where there are fewer."""
    last = max(1, -(-len(found) // ROWS))
    number = min(max(1, number), last)
    kept = {name: value for name, value in query.items() if value}

    def address(other: int) -> str:
        return f"{path}?{urlencode({**kept, 'page': other})}" if 1 <= other <= last else ""

    rows = found[(number - 1) * ROWS : number * ROWS]
    place = f"page {format_count(number)} of {format_count(last)}"
    return Page(rows, format_count(len(found)), place, address(number - 1), address(number + 1))


def view_list(index: FactIndex, words: str, mark: str, number: int) -> dict[str, Any]:
    """The page of facts: a search, a filter, and some lines of what was found."""
    page = cut_page(index.search(words, mark), number, "/facts", q=words, show=mark)
    return {
        "words": words,
        "mark": mark,
        "filters": FILTER_NAMES,
        "page": page,
        "rows": [_view_line(entry, index.moments) for entry in page.rows],
        "moments": [label_moment(moment) for moment in index.moments],
    }


def _view_line(entry: FactEntry, moments: Sequence[str]) -> dict[str, Any]:
    natural = [one for one in entry.wordings if one.language != NO_LANGUAGE and one.prompt_set != "control"]
    return {
        **view_names(entry),
        "counts": [_count(natural, moment) for moment in moments],
        "marks": [FILTER_NAMES[mark] for mark in FILTERS if mark in entry.marks],
    }


def view_names(entry: FactEntry) -> dict[str, Any]:
    """What a fact is called, and its page."""
    return {
        "address": f"/facts/{entry.number}",
        "subject": shorten_text(entry.subject, _NAME),
        "relation": shorten_text(entry.relation, _NAME),
        "object": shorten_text(entry.object, _NAME),
        "fact_set": _SETS.get(entry.fact_set, shorten_text(entry.fact_set, _NAME)),
    }


def _count(wordings: Sequence[Wording], moment: str) -> str:
    asked = [one.records[moment].correct for one in wordings if moment in one.records]
    return f"{sum(asked)}/{len(asked)}" if asked else MISSING


def view_fact(index: FactIndex, entry: FactEntry) -> dict[str, Any]:
    """The page of one fact: every wording, and what was said to it at each moment."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for wording in sorted(entry.wordings, key=lambda one: list(PROMPT_SETS).index(one.prompt_set)):
        label = label_prompts(wording.prompt_set, wording.language)
        groups.setdefault(label, []).append(_view_wording(wording, index.moments))
    neighbours = (entry.number - 1, entry.number + 1)
    before, after = (f"/facts/{number}" if 0 <= number < len(index.entries) else "" for number in neighbours)
    return {
        **view_names(entry),
        "answers": [shorten_text(text, _NAME) for text in entry.answers[1:]],
        "marks": [FILTER_NAMES[mark] for mark in FILTERS if mark in entry.marks],
        "groups": groups,
        "previous": before,
        "following": after,
    }


def _view_wording(wording: Wording, moments: Sequence[str]) -> dict[str, Any]:
    said = [(label_moment(moment), view_answer(wording.records.get(moment))) for moment in moments]
    return {"prompt": clean_text(wording.prompt), "language": wording.language, "said": said}


def view_answer(record: Record | None) -> dict[str, Any] | None:
    """What was said, with its verdict; None where it was not asked. Under a control prompt the object is no right
    answer: it leaks, or nothing does."""
    if record is None:
        return None
    is_control = record.prompt_set == "control"
    signs = ("✗ leaks", "✓ silent") if is_control else ("✓ right", "✗ wrong")
    chance = record.object_probability
    return {
        "text": shorten_text(record.generated, _TEXT) or "(nothing)",
        "sign": signs[0] if record.correct else signs[1],
        "is_good": record.correct != is_control,
        "chance": "" if chance is None else f"object probability {chance:.1%}",
    }


def view_match(match: Match) -> dict[str, Any]:
    """Whether what a question asks for was taught, and which wordings were answered right; for the Ask page."""
    taught = any(entry.is_taught for entry in match.entries)
    if not match.entries:
        line = (
            "not taught: the run has no such fact"
            if match.by_relation
            else "not taught: the run has nothing about this subject"
        )
    elif not match.by_relation:
        line = "taught about this subject" if taught else "not taught, but asked about this subject"
    else:
        line = "taught" if taught else "not taught"
    facts = [{**view_names(entry), "wordings": _view_verdicts(entry)} for entry in match.entries[:ROWS]]
    return {"kind": "facts", "line": line, "facts": facts}


def _view_verdicts(entry: FactEntry) -> list[dict[str, Any]]:
    """The wordings of a fact and whether each was answered right the last time it was asked."""
    return [
        {
            "label": label_prompts(wording.prompt_set, wording.language),
            "prompt": shorten_text(wording.prompt, _TEXT),
            "right": list(wording.records.values())[-1].correct,
        }
        for wording in entry.wordings
        if wording.prompt_set != "control"
    ]


def view_side_effects(run: ServedRun, number: int) -> dict[str, Any]:
    """The page of what was known and is lost."""
    page = cut_page(run.losses, number, "/side-effects")
    return {
        "rings": build_rings(run.report.side_effects),
        "changes": build_changes(run.report.side_effects),
        "page": page,
        "rows": [
            {
                "ring": RINGS[loss.ring],
                "prompt": clean_text(loss.after.prompt),
                "language": loss.after.language,
                "object": shorten_text(loss.after.object, _NAME),
                "before": shorten_text(loss.before.generated, _TEXT),
                "after": shorten_text(loss.after.generated, _TEXT) or "(nothing)",
                "relation": shorten_text(loss.after.relation, _NAME),
            }
            for loss in page.rows
        ],
    }


def view_ask(has_chat: bool, sides: Mapping[str, str]) -> dict[str, Any]:
    """The page with the one box; `sides` by what the events call them, with the model's name."""
    return {"has_chat": has_chat, "sides": sides}
