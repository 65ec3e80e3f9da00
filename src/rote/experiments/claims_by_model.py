"""Claims of several models side by side, and in a few lines what holds on which."""

from collections import Counter
from collections.abc import Mapping, Sequence

from rote.experiments.claims import ClaimRow, format_ours
from rote.experiments.entries import Entry
from rote.models.embedded import EMBEDDED_NAME

_ALL = "Holds on all that were asked"
_APART = ("Holds on some", "Holds on none", "Not settled")
"""Kinds of claims whose models are told apart."""


def list_models(entries: Sequence[Entry]) -> list[str]:
    """Those that claims were tested on."""
    models = dict.fromkeys(entry.model for entry in entries if entry.claims)
    return sorted(models, key=lambda model: model != EMBEDDED_NAME)


def group_claims(entries: Sequence[Entry]) -> dict[tuple[str, str], dict[str, ClaimRow]]:
    """The claims of all experiments, each by model."""
    groups: dict[tuple[str, str], dict[str, ClaimRow]] = {}
    for entry in entries:
        for row in entry.claims:
            groups.setdefault((entry.name, row["claim"]), {})[entry.model] = row
    return groups


def sum_up(entries: Sequence[Entry]) -> list[str]:
    """How many claims hold on each model; then of those that several models were asked, which hold on all, on some, on
    none, and on none as far as can be told, with the reasons."""
    groups = list(group_claims(entries).values())
    lines = [_count_verdicts(model, groups) for model in list_models(entries)]
    shared = [found for found in groups if len(found) > 1]
    if not shared:
        return [*lines, "No claim was measured on more than one model yet."]
    on_all = [found for found in shared if _judge(found) == _ALL]
    if on_all:
        lines.append(f"{_ALL} ({len(on_all)} of {len(shared)}): {'; '.join(map(_get_text, on_all))}.")
    return lines + [f"{kind}: {_tell_apart(found)}" for kind in _APART for found in shared if _judge(found) == kind]


def _count_verdicts(model: str, groups: Sequence[Mapping[str, ClaimRow]]) -> str:
    rows = [found[model] for found in groups if model in found]
    verdicts, stale = Counter(row["verdict"] for row in rows), sum(row["stale"] for row in rows)
    told = f"{verdicts['holds']} held, {verdicts['open']} left open, {verdicts['does not hold']} not held"
    seeds = ", ".join(sorted({str(row["seeds"]) for row in rows}))
    return f"{model}: of {len(rows)} claims {told} (seeds: {seeds}; stale: {stale})."


def _judge(found: Mapping[str, ClaimRow]) -> str:
    verdicts = {row["verdict"] for row in found.values()}
    if verdicts == {"holds"}:
        return _ALL
    some, none, unsettled = _APART
    return some if "holds" in verdicts else unsettled if "open" in verdicts else none


def _get_text(found: Mapping[str, ClaimRow]) -> str:
    return next(iter(found.values()))["text"]


def _tell_apart(found: Mapping[str, ClaimRow]) -> str:
    """A claim with its figure and verdict on each model, and why it does not hold where it does not."""
    figures = ", ".join(f"{model} {format_ours(row)} ({row['verdict']})" for model, row in found.items())
    models_by_why = dict[str, list[str]]()
    for model, row in found.items():
        models_by_why.setdefault(_explain(row), []).append(model)
    whys = "".join(f" On {' and '.join(models)}: {why}." for why, models in models_by_why.items() if why)
    bound = next(iter(found.values()))["bound"]
    return f"{_get_text(found)} (wanted {bound}): {figures}.{whys}"


def _explain(row: ClaimRow) -> str:
    """Why a claim does not hold. Of one that is open there may be nothing to say but that its interval is wide."""
    return row["why"] or "the reason was not examined" * (row["verdict"] == "does not hold")
