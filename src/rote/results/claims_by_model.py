"""Claims of several models side by side, and in a few lines what holds on which."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from rote.experiments.claims import ClaimRow
from rote.models.embedded import EMBEDDED_NAME
from rote.report.results_page import SummaryLine
from rote.results.entries import Entry, begin_large

_KINDS = (
    "Holds on every model measured",
    "Holds on some, left open on others",
    "Holds on some, fails on others",
    "Holds on none",
    "Not settled",
)
_SAID = {_KINDS[0], _KINDS[2], _KINDS[3]}
"""Of these the opening says the claims themselves, of what is open in part their experiments."""
_FEW = 50
"""Questions with fewer of which an interval around one half is 0.27 wide or more."""
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
    """In ten lines or so: how many claims hold on each model; of those that several models were asked, what is found on
    all of them and what on some; how many one model alone was asked; and what claims fail by.

    Under a line are its claims. Those with the same verdicts and the same reasons share an item.
    """
    groups = list(group_claims(entries).values())
    shared = [found for found in groups if len(found) > 1]
    lines = [_count_model(model, groups) for model in list_models(entries)]
    titles = {entry.name: entry.title for entry in entries}
    lines.extend(_list_kind(kind, shared, titles) for kind in _KINDS if any(_judge(found) == kind for found in shared))
    if not shared:
        lines.append(SummaryLine("No claim was measured on more than one model yet."))
    rows = [row for found in groups for row in found.values()]
    return [*lines, *_count_alone(groups), *_count_causes(rows)]


def _list_kind(kind: str, groups: Sequence[Mapping[str, ClaimRow]], titles: Mapping[str, str]) -> SummaryLine:
    """The claims that are judged so, or their experiments; under it each with its models and reasons."""
    judged = [found for found in groups if _judge(found) == kind]
    texts, about = dict[str, list[str]](), list[str]()
    for found in judged:
        first = next(iter(found.values()))
        texts.setdefault(_tell_apart(found), []).append(first["text"])
        about.append(first["text"] if kind in _SAID else titles[first["experiment"]])
    heading = f"{kind} ({_count(judged, 'claim')})"
    items = tuple(f"{'; '.join(same)}: {where}" for where, same in texts.items())
    return SummaryLine(f"{heading}: {'; '.join(dict.fromkeys(about))}.", items, heading)


def _count_causes(rows: Sequence[ClaimRow]) -> Iterator[SummaryLine]:
    """What the reasons of claims that do not hold rest on; under it what several of them fail by, commonest first."""
    failed = [row for row in rows if row["verdict"] == "does not hold"]
    if not failed:
        return
    bases = Counter(row["basis"] or "not examined" for row in failed)
    told = ", ".join(f"{bases[basis]} {basis}" for basis in ("measured", "probable", "not examined") if bases[basis])
    causes = Counter(row["cause"] for row in failed if row["cause"])
    alone = len(failed) - causes.total()
    items = [f"{begin_large(cause)} ({number})." for cause, number in causes.most_common()]
    items += [f"A reason that no other claim shares, or none ({alone})."] * bool(items and alone)
    yield SummaryLine(f"Why claims do not hold ({_count(failed, 'verdict')}, their reasons {told}):", tuple(items))


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
    held, left, failed = (verdicts[verdict] for verdict in _WORDS)
    few = sum(row["verdict"] == "open" and row["n"] is not None and row["n"] < _FEW for row in rows)
    why = f" ({few} on fewer than {_FEW} questions)" * bool(few)
    return f"{_count(rows, 'claim')}, {held} held, {left} left open{why}, {failed} not held"


def _count(things: Sequence[object], word: str) -> str:
    return f"{len(things)} {word}{'s' * (len(things) != 1)}"


def _judge(found: Mapping[str, ClaimRow]) -> str:
    verdicts = {row["verdict"] for row in found.values()}
    on_all, open_on_others, differ, on_none, unsettled = _KINDS
    if verdicts == {"holds"}:
        return on_all
    if "holds" in verdicts:
        return differ if "does not hold" in verdicts else open_on_others
    return unsettled if "open" in verdicts else on_none


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
