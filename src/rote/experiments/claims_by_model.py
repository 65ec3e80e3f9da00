"""Claims of several models side by side, and in a few lines what holds on which."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from rote.experiments.claims import ClaimRow
from rote.experiments.entries import Entry
from rote.models.embedded import EMBEDDED_NAME
from rote.report.results_page import SummaryLine

_KINDS = ("Holds on every model measured", "Holds on some", "Holds on none", "Not settled")
_ALIKE = (_KINDS[0], _KINDS[2])
"""Of what is alike on all models the claims themselves are said; where models differ they are below."""
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
    """In ten lines or so: how many claims hold on each model; of those that several models were asked, which hold on
    all, on some, on none, and on none as far as can be told; how many one model alone was asked; what fails them, and
    how many are open for want of questions.

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
    return [*lines, *_count_alone(groups), *_count_causes(rows), *_count_open(rows)]


def _list_kind(kind: str, groups: Sequence[Mapping[str, ClaimRow]], titles: Mapping[str, str]) -> SummaryLine:
    """The claims that are judged so, or where models differ their experiments; under it each with its models and
    reasons."""
    judged = [found for found in groups if _judge(found) == kind]
    texts, about = dict[str, list[str]](), list[str]()
    for found in judged:
        first = next(iter(found.values()))
        texts.setdefault(_tell_apart(found), []).append(first["text"])
        about.append(first["text"] if kind in _ALIKE else titles[first["experiment"]])
    told = f"{kind} ({_count(judged, 'claim')}): {'; '.join(dict.fromkeys(about))}."
    return SummaryLine(told, tuple(f"{'; '.join(same)}: {where}" for where, same in texts.items()))


def _count_causes(rows: Sequence[ClaimRow]) -> Iterator[SummaryLine]:
    """What claims that do not hold fail by, the commonest cause first."""
    failed = [row for row in rows if row["verdict"] == "does not hold"]
    causes = Counter(row["cause"] for row in failed if row["cause"])
    own = sum(bool(row["why"]) and not row["cause"] for row in failed)
    unknown = sum(not row["why"] for row in failed)
    counts = [*causes.most_common(), ("a reason of its own", own), ("not examined", unknown)]
    guessed = sum("probably" in row["why"] for row in failed)
    if failed:
        said = "; ".join(f"{cause} ({number})" for cause, number in counts if number)
        told = f"Why claims do not hold ({_count(failed, 'verdict')}): {said}."
        yield SummaryLine(f"{told} Of these reasons probable, not measured: {guessed}.")


def _count_open(rows: Sequence[ClaimRow]) -> Iterator[SummaryLine]:
    """Verdicts that more questions would settle."""
    left = [row for row in rows if row["verdict"] == "open"]
    few = sum(row["n"] is not None and row["n"] < _FEW for row in left)
    if left:
        yield SummaryLine(
            f"Why claims are left open ({_count(left, 'verdict')}): the interval crosses the bound; {few} of them "
            f"rest{'s' * (few == 1)} on fewer than {_FEW} questions."
        )


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
    return f"{_count(rows, 'claim')}, {held} held, {left} left open, {failed} not held"


def _count(things: Sequence[object], word: str) -> str:
    return f"{len(things)} {word}{'s' * (len(things) != 1)}"


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
