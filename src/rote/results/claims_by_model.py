"""Claims of several models side by side: what holds on all of them, on some and on none, and what claims fail by."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from rote.experiments.claims import ClaimRow
from rote.models.embedded import EMBEDDED_NAME
from rote.report.results_page import ClaimList
from rote.results.entries import Entry, begin_large

KINDS = (
    "Holds on every model asked",
    "Holds on some, open on others",
    "Holds on some, fails on others",
    "Holds on none",
    "Not settled",
)
"""What the verdicts on one claim come to, in the order in which they are told."""
_WORDS = {"holds": "holds", "open": "is open", "does not hold": "does not hold"}
_BASES = ("measured", "probable", "not examined")


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


def judge_together(found: Mapping[str, ClaimRow]) -> str:
    """What the verdicts on a claim come to, one of `KINDS`."""
    verdicts = {row["verdict"] for row in found.values()}
    on_all, open_on_others, differ, on_none, unsettled = KINDS
    if verdicts == {"holds"}:
        return on_all
    if "holds" in verdicts:
        return differ if "does not hold" in verdicts else open_on_others
    return unsettled if "open" in verdicts else on_none


def compare_models(entries: Sequence[Entry]) -> Iterator[ClaimList]:
    """The claims that several models were asked, by what is found on all of them together; those that one model alone
    was asked, by verdict; and what claims fail by. Claims with the same verdicts and reasons share an item.
    """
    groups = list(group_claims(entries).values())
    for kind in KINDS:
        judged = [found for found in groups if len(found) > 1 and judge_together(found) == kind]
        if judged:
            yield ClaimList(f"{kind} ({count_words(len(judged), 'claim')})", tuple(_list_items(judged)))
    yield from _list_alone(groups)
    yield from _list_causes([row for found in groups for row in found.values()])


def _list_items(groups: Sequence[Mapping[str, ClaimRow]]) -> Iterator[str]:
    texts: dict[str, list[str]] = {}
    for found in groups:
        texts.setdefault(_tell_apart(found), []).append(next(iter(found.values()))["text"])
    for where, same in texts.items():
        yield f"{'; '.join(same)}: {where}"


def _list_alone(groups: Sequence[Mapping[str, ClaimRow]]) -> Iterator[ClaimList]:
    rows = [row for found in groups if len(found) == 1 for row in found.values()]
    for model in dict.fromkeys(row["model"] for row in rows):
        told = [row for row in rows if row["model"] == model]
        texts = {word: [row["text"] for row in told if row["verdict"] == verdict] for verdict, word in _WORDS.items()}
        items = tuple(f"{begin_large(word)}: {'; '.join(same)}." for word, same in texts.items() if same)
        yield ClaimList(f"Asked of {model} alone ({count_words(len(told), 'claim')})", items)


def _list_causes(rows: Sequence[ClaimRow]) -> Iterator[ClaimList]:
    """What claims that do not hold fail by, the commonest first, and what that rests on."""
    failed = [row for row in rows if row["verdict"] == "does not hold"]
    if not failed:
        return
    causes = Counter(row["cause"] for row in failed if row["cause"])
    items = [f"{begin_large(cause)} ({_count_bases(failed, cause)})." for cause, _ in causes.most_common()]
    if causes.total() < len(failed):
        items.append(f"A reason that no other claim shares, or none ({_count_bases(failed, '')}).")
    yield ClaimList(f"Why claims do not hold ({count_words(len(failed), 'verdict')})", tuple(items))


def _count_bases(failed: Sequence[ClaimRow], cause: str) -> str:
    bases = Counter(row["basis"] or "not examined" for row in failed if row["cause"] == cause)
    return ", ".join(f"{bases[basis]} {basis}" for basis in _BASES if bases[basis])


def count_words(number: int, word: str) -> str:
    """`1 claim`, `2 claims`."""
    return f"{number} {word}{'s' * (number != 1)}"


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
