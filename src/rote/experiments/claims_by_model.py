"""Claims of several models side by side, and in a few lines what holds on which."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from rote.experiments.claims import ClaimRow
from rote.experiments.entries import Entry
from rote.models.embedded import EMBEDDED_NAME
from rote.report.results_page import SummaryLine

_KINDS = ("Holds on every model measured", "Holds on some", "Holds on none", "Not settled")
_WORDS = {"holds": "holds", "open": "is open", "does not hold": "does not hold"}


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


def sum_up(entries: Sequence[Entry]) -> list[SummaryLine]:
    """How many claims hold on each model. Then of those that several models were asked, which hold on all, on some, on
    none, and on none as far as can be told; at last how many one model alone was asked.

    Claims with the same verdicts and the same reasons share a line.
    """
    groups = list(group_claims(entries).values())
    shared = [found for found in groups if len(found) > 1]
    lines = [_count_model(model, groups) for model in list_models(entries)]
    titles = {entry.name: entry.title for entry in entries}
    lines.extend(_list_kind(kind, shared, titles) for kind in _KINDS if any(_judge(found) == kind for found in shared))
    if not shared:
        lines.append(SummaryLine("No claim was measured on more than one model yet."))
    return [*lines, *_count_alone(groups)]


def _list_kind(kind: str, groups: Sequence[Mapping[str, ClaimRow]], titles: Mapping[str, str]) -> SummaryLine:
    """The experiments of the claims that are judged so; then each claim, with the models and the reasons."""
    judged = [found for found in groups if _judge(found) == kind]
    texts, about = dict[str, list[str]](), list[str]()
    for found in judged:
        first = next(iter(found.values()))
        texts.setdefault(_tell_apart(found), []).append(first["text"])
        about.append(titles[first["experiment"]])
    told = f"{kind} ({len(judged)} claim{'s' * (len(judged) > 1)}): {'; '.join(dict.fromkeys(about))}."
    return SummaryLine(told, tuple(f"{'; '.join(same)}: {where}" for where, same in texts.items()))


def _count_alone(groups: Sequence[Mapping[str, ClaimRow]]) -> Iterator[SummaryLine]:
    rows = [row for found in groups if len(found) == 1 for row in found.values()]
    for model in dict.fromkeys(row["model"] for row in rows):
        told = [row for row in rows if row["model"] == model]
        yield SummaryLine(f"Measured on {model} alone: {_count_verdicts(told)}. They are below.")


def _count_model(model: str, groups: Sequence[Mapping[str, ClaimRow]]) -> SummaryLine:
    rows = [found[model] for found in groups if model in found]
    stale = sum(row["stale"] for row in rows)
    least, most = (bound(row["seeds"] for row in rows) for bound in (min, max))
    seeds = f"{least} to {most} seeds" if least < most else f"{most} seed{'s' * (most > 1)}"
    return SummaryLine(f"{model}: {_count_verdicts(rows)} ({seeds} a claim; {stale} stale).")


def _count_verdicts(rows: Sequence[ClaimRow]) -> str:
    verdicts = Counter(row["verdict"] for row in rows)
    told = f"{len(rows)} claim{'s' * (len(rows) > 1)}"
    return f"{told}, {verdicts['holds']} held, {verdicts['open']} left open, {verdicts['does not hold']} not held"


def _judge(found: Mapping[str, ClaimRow]) -> str:
    verdicts = {row["verdict"] for row in found.values()}
    on_all, on_some, on_none, unsettled = _KINDS
    if verdicts == {"holds"}:
        return on_all
    return on_some if "holds" in verdicts else unsettled if "open" in verdicts else on_none


def _tell_apart(found: Mapping[str, ClaimRow]) -> str:
    """The models that each verdict was found on, and why a claim does not hold where it does not."""
    verdicts, whys = {verdict: list[str]() for verdict in _WORDS}, dict[str, list[str]]()
    for model, row in found.items():
        verdicts[row["verdict"]].append(model)
        whys.setdefault(_explain(row), []).append(model)
    where = ", ".join(f"{_WORDS[verdict]} on {_list(models)}" for verdict, models in verdicts.items() if models)
    reasons = "".join(f" On {_list(models)}: {why}." for why, models in whys.items() if why)
    return f"{where}.{reasons}"


def _list(models: Sequence[str]) -> str:
    *first, last = models
    return f"{', '.join(first)} and {last}" if first else last


def _explain(row: ClaimRow) -> str:
    """Why a claim does not hold. Of one that is open there may be nothing to say but that its interval is wide."""
    return row["why"] or "the reason was not examined" * (row["verdict"] == "does not hold")
