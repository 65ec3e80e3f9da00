"""Claims of several models side by side, and in a few lines what holds on which."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from rote.experiments.claims import ClaimRow
from rote.experiments.entries import Entry
from rote.models.embedded import EMBEDDED_NAME

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


def sum_up(entries: Sequence[Entry]) -> list[str]:
    """How many claims hold on each model, and which of those that it alone was asked. Then of those that several models
    were asked, which hold on all, on some, on none, and on none as far as can be told.

    Claims with the same verdicts and the same reasons share a line.
    """
    groups = list(group_claims(entries).values())
    lines = [_count_verdicts(model, groups) for model in list_models(entries)]
    shared = [found for found in groups if len(found) > 1]
    lines.extend(_list_alone(groups))
    if not shared:
        return [*lines, "No claim was measured on more than one model yet."]
    for kind in _KINDS:
        texts = dict[str, list[str]]()
        for found in shared:
            if _judge(found) == kind:
                texts.setdefault(_tell_apart(found), []).append(next(iter(found.values()))["text"])
        lines.extend(f"{kind}: {'; '.join(same)} {where}" for where, same in texts.items())
    return lines


def _list_alone(groups: Sequence[Mapping[str, ClaimRow]]) -> Iterator[str]:
    """Of what one model alone was asked: what holds, what is open, what does not hold."""
    rows = [row for found in groups if len(found) == 1 for row in found.values()]
    for verdict, word in _WORDS.items():
        for model in dict.fromkeys(row["model"] for row in rows):
            told = [row for row in rows if (row["model"], row["verdict"]) == (model, verdict)]
            if told:
                stale = " (all stale)" if all(row["stale"] for row in told) else ""
                texts = "; ".join(row["text"] for row in told)
                yield f"{word[:1].upper()}{word[1:]} on {model}, measured there alone{stale}: {texts}."


def _count_verdicts(model: str, groups: Sequence[Mapping[str, ClaimRow]]) -> str:
    rows = [found[model] for found in groups if model in found]
    verdicts, stale = Counter(row["verdict"] for row in rows), sum(row["stale"] for row in rows)
    told = f"{verdicts['holds']} held, {verdicts['open']} left open, {verdicts['does not hold']} not held"
    least, most = (bound(row["seeds"] for row in rows) for bound in (min, max))
    seeds = f"{least} to {most} seeds" if least < most else f"{most} seed{'s' * (most > 1)}"
    return f"{model}: of {len(rows)} claims {told} ({seeds} a claim; {stale} stale)."


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
    return f"({where}).{reasons}"


def _list(models: Sequence[str]) -> str:
    *first, last = models
    return f"{', '.join(first)} and {last}" if first else last


def _explain(row: ClaimRow) -> str:
    """Why a claim does not hold. Of one that is open there may be nothing to say but that its interval is wide."""
    return row["why"] or "the reason was not examined" * (row["verdict"] == "does not hold")
