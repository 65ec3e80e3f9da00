"""The samples that lm-evaluation-harness logs: `samples_TASK_DATE.jsonl`, one line for each question."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rote.errors import RunError, first_line, shorten
from rote.exchange.sample_logs import Sample, SampleLog, Score

_PREFIX = "samples_"
_BESIDE = {
    *("doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics"),
    *("doc_hash", "prompt_hash", "target_hash"),
}
"""What a line holds beside the metrics, which older versions do not list."""
_FACT = ("relation", "subject")
"""Documents that have both ask about facts, which are the clusters then."""


_LARGEST = 1e300


def read_lm_eval(folder: Path, cluster: tuple[str, ...] = ()) -> SampleLog:
    """Read the last samples of each task in a folder that lm-eval wrote.

    Raises `RunError` where there are none, where they are of several models, or where one is damaged.
    """
    scores: dict[Score, dict[str, Sample]] = {}
    skipped: dict[Score, None] = {}
    for task, path in _find_samples(folder).items():
        seen: Counter[tuple[str, str]] = Counter()
        for place, line in _read_lines(path):
            asked = _name_document(line, place, seen)
            for metric, value in _list_metrics(line):
                score = (task, metric)
                if isinstance(value, int | float) and abs(value) < _LARGEST:  # a truth value is one too; NaN is not
                    sample = Sample(float(value), _find_cluster(line, asked, cluster, place), _name_prompt(line))
                    scores.setdefault(score, {})[asked] = sample
                else:
                    skipped[score] = None
    return SampleLog("lm-eval", {key: found for key, found in scores.items() if key not in skipped}, tuple(skipped))


def _find_samples(folder: Path) -> dict[str, Path]:
    """The newest file of each task."""
    files = sorted(folder.rglob(f"{_PREFIX}*.jsonl"), key=lambda path: (path.stem.rpartition("_")[2], path.name))
    if not files:
        raise RunError(
            f"{folder}: has no samples of lm-eval (samples_*.jsonl); ask again with lm_eval --log_samples, or name the "
            "folder they are in"
        )
    places = sorted({str(file.parent) for file in files})
    if len(places) > 1:
        raise RunError(f"{folder}: has samples of several models; name one of {', '.join(places)}")
    return {file.stem.removeprefix(_PREFIX).rpartition("_")[0]: file for file in files}


def _read_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each line with its place. Raises `RunError` for one that is no sample."""
    try:
        with path.open(encoding="utf-8") as file:
            for number, text in enumerate(file, start=1):
                place = f"{path}, line {number}"
                line = json.loads(text) if text.strip() else None
                if line is None:
                    continue
                if not isinstance(line, dict) or not {"doc_id", "doc"} <= line.keys():
                    raise RunError(f"{place}: is no sample of lm-eval (it has no doc_id or doc); write the file again")
                yield place, line
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"{path}: cannot be read as samples of lm-eval ({first_line(error)}); write it again") from error


def _name_document(line: Mapping[str, Any], place: str, seen: Counter[tuple[str, str]]) -> str:
    """The document by its content, as its number is another one in another selection; of two that are alike each."""
    name = str(line.get("doc_hash") or f"document {line['doc_id']}")
    filtered = str(line.get("filter", ""))
    seen[filtered, name] += 1
    return f"{name} {seen[filtered, name]}"


def _name_prompt(line: Mapping[str, Any]) -> str:
    return str(line.get("prompt_hash", ""))


def _list_metrics(line: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each metric as lm-eval names it in its results, but for the filter that does nothing."""
    listed = line.get("metrics")
    names = listed if isinstance(listed, list) else [key for key in line if key not in _BESIDE]
    filtered = line.get("filter", "none")
    for name in map(str, names):
        yield name if filtered == "none" else f"{name},{filtered}", line.get(name)


def _find_cluster(line: Mapping[str, Any], asked: str, wanted: tuple[str, ...], place: str) -> str:
    """The cluster a document is of; each is its own where nothing says otherwise."""
    document = line["doc"] if isinstance(line["doc"], dict) else {}
    fields = wanted or (_FACT if all(isinstance(document.get(field), str) for field in _FACT) else ())
    missing = [field for field in fields if field not in document]
    if missing:
        raise RunError(f"{place}: its document has no {shorten(missing[0])} (--cluster); it has {', '.join(document)}")
    return json.dumps([document[field] for field in fields]) if fields else asked
