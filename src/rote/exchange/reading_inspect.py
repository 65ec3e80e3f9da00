"""The logs that Inspect writes (`.eval` or `.json`), read by Inspect itself (extra `inspect`)."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from rote.errors import RunError, first_line, shorten
from rote.exchange.sample_logs import Sample, SampleLog, Score
from rote.figures import read_number

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog, EvalSample

_LETTERS = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}
"""What Inspect counts correct, incorrect, partly correct and unanswered as."""


def read_inspect(path: Path, cluster: tuple[str, ...] = ()) -> SampleLog:
    """Read a log; a sample that was asked in several epochs has the mean of its values.

    Raises `RunError` where it is damaged or holds no scored samples, and `ConfigError` where Inspect is not installed.
    """
    log = _load(path)
    fields = cluster or _read_cluster(log)
    found: dict[Score, dict[str, list[float | None]]] = {}
    about: dict[str, tuple[str, str]] = {}
    for sample in log.samples or ():
        name = str(sample.id)
        about[name] = (_find_cluster(sample, fields, path), _write_input(sample))
        for metric, value in _list_values(sample):
            found.setdefault((log.eval.task, metric), {}).setdefault(name, []).append(value)
    if not found:
        raise RunError(f"{path}: holds no scored samples; score them with 'inspect score', or log them (--log-samples)")
    skipped = tuple(score for score, named in found.items() if any(None in values for values in named.values()))
    scores = {
        score: {name: Sample(fmean(v for v in values if v is not None), *about[name]) for name, values in named.items()}
        for score, named in found.items()
        if score not in skipped
    }
    return SampleLog("Inspect", scores, skipped)


def _load(path: Path) -> "EvalLog":
    from rote.exchange.inspect_logs import check_installed

    check_installed(str(path))
    from inspect_ai.log import read_eval_log

    if not path.is_file():
        raise RunError(f"{path}: there is no such file; name a log of Inspect (.eval or .json)")
    try:
        return read_eval_log(str(path))
    except Exception as error:  # what a damaged archive or another kind of file raises is anything
        raise RunError(f"{path}: cannot be read as a log of Inspect ({first_line(error)}); log it again") from error


def _read_cluster(log: "EvalLog") -> tuple[str, ...]:
    """The field of the metadata by which the log's own standard error has its clusters; none where it has none."""
    for score in log.results.scores if log.results else ():
        for metric in score.metrics.values():
            named = metric.params.get("cluster")
            if isinstance(named, str):
                return (named,)
    return ()


def _find_cluster(sample: "EvalSample", fields: tuple[str, ...], path: Path) -> str:
    missing = [field for field in fields if field not in sample.metadata]
    if missing:
        held = ", ".join(sample.metadata) or "none"
        raise RunError(
            f"{path}: the metadata of sample {sample.id} has no {shorten(missing[0])} (--cluster); it has {held}"
        )
    return json.dumps([sample.metadata[field] for field in fields], default=str) if fields else str(sample.id)


def _write_input(sample: "EvalSample") -> str:
    if isinstance(sample.input, str):
        return sample.input
    return json.dumps([[message.role, message.text] for message in sample.input])


def _list_values(sample: "EvalSample") -> Iterator[tuple[str, float | None]]:
    """Each score as a number, a dictionary of them as one for each key; None for what is none."""
    for scorer, score in (sample.scores or {}).items():
        if isinstance(score.value, Mapping):
            for key, value in score.value.items():
                yield f"{scorer}/{key}", _read_value(value)
        else:
            yield scorer, _read_value(score.value)


def _read_value(value: Any) -> float | None:
    number = _LETTERS.get(value) if isinstance(value, str) else value
    return float(number) if isinstance(number, bool) else read_number(number)
