"""What the results open with: a few claims in plain words, with what was found on each model."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rote.experiments.claims import ClaimRow, format_parts, is_out_of_reach
from rote.report.results_page import ShortLine
from rote.results.claims_by_model import KINDS, count_words, group_claims, judge_together, list_models
from rote.results.entries import Entry, begin_large
from rote.text_files import load_yaml

_PLAIN = Path(__file__).parent / "in_short.yaml"
_WORDS = {"holds": "holds", "open": "open", "does not hold": "fails"}
_COUNTED = {"holds": "hold", "open": "are open", "does not hold": "fail"}
_FEW = 50
"""Questions with fewer of which an interval around one half is 0.27 wide or more."""


def load_plain_claims() -> dict[str, str]:
    """The claims that the results open with: a plain sentence by name."""
    found: dict[str, str] = load_yaml(_PLAIN.read_text(encoding="utf-8"))
    return found


def write_in_short(entries: Sequence[Entry]) -> list[ShortLine]:
    """In ten lines or so: how many claims hold on each model; then the plain ones, first what holds on all models,
    each with its figures and with what it fails by where that is known.
    """
    groups = {claim: found for (_, claim), found in group_claims(entries).items()}
    plain = [(text, groups[claim]) for claim, text in load_plain_claims().items() if claim in groups]
    plain.sort(key=lambda line: KINDS.index(judge_together(line[1])))
    counts = "; ".join(_count_model(model, groups.values()) for model in list_models(entries))
    return [ShortLine("Claims", f"{begin_large(counts)}."), *(_write_line(text, found) for text, found in plain)]


def _write_line(text: str, found: Mapping[str, ClaimRow]) -> ShortLine:
    first = next(iter(found.values()))
    wanted = f"{'a difference ' * bool(first['made_of'])}{first['bound']}"
    figures = ", ".join(_write_figure(model, row) for model, row in found.items())
    causes = dict.fromkeys(row["cause"] for row in found.values() if row["cause"])
    whys = "".join(_tell_cause(cause, found) for cause in causes)
    return ShortLine(judge_together(found), f"{text}; wanted {wanted}: {figures}.{whys}")


def _tell_cause(cause: str, found: Mapping[str, ClaimRow]) -> str:
    """Why a claim fails, on which models that was measured and on which it is probable."""
    rows = {model: row for model, row in found.items() if row["cause"] == cause and row["verdict"] == "does not hold"}
    measured = [model for model, row in rows.items() if row["basis"] == "measured"]
    probable = [model for model in rows if model not in measured]
    if not rows:
        return ""
    if len(rows) == len(found) and not (measured and probable):
        where = " probably" * bool(probable)
    else:
        told = [f"on {' and '.join(models)}" for models in (measured, probable) if models]
        where = f" {' and probably '.join(told)}" if measured else f" {told[0]} probably"
    return f" It fails{where} because {cause}."


def _write_figure(model: str, row: ClaimRow) -> str:
    """A figure with two decimals, of a difference the two it is made of: `0.85 against 0.30 on rote-tiny (holds)`."""
    figure = " against ".join(format_parts(row, "z.2f"))
    few = f", {row['n']} questions" * _is_open_by_few(row) + ", too few to hold" * is_out_of_reach(row)
    return f"{figure} on {model} ({_WORDS[row['verdict']]}{few})"


def _count_model(model: str, groups: Iterable[Mapping[str, ClaimRow]]) -> str:
    rows = [found[model] for found in groups if model in found]
    verdicts = Counter(row["verdict"] for row in rows)
    told = ", ".join(f"{verdicts[verdict]} {word}" for verdict, word in _COUNTED.items())
    few = sum(_is_open_by_few(row) for row in rows)
    least, most = (bound(row["seeds"] for row in rows) for bound in (min, max))
    about = [
        f"{least} to {most} seeds each" if least < most else f"{count_words(most, 'seed')} each",
        f"{few} of the open ones on fewer than {_FEW} questions" * bool(few),
        f"{sum(row['stale'] for row in rows)} stale" * any(row["stale"] for row in rows),
    ]
    return f"of {len(rows)} on {model} {told} ({', '.join(filter(None, about))})"


def _is_open_by_few(row: ClaimRow) -> bool:
    return row["verdict"] == "open" and row["n"] is not None and row["n"] < _FEW
