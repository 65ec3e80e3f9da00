"""The records of a run as logs of Inspect (extra `inspect`), one for each moment, for `inspect view` and others."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rote.errors import ConfigError
from rote.exchange.questions import FACT, Asked, describe, identify, load_asked
from rote.models.saving import check_free
from rote.records import Record
from rote.runs.files import replace_folder
from rote.runs.folder import RunFolder
from rote.runs.manifest import collect_versions, name_model
from rote.runs.store import hash_content

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog, EvalSample, EvalScore

_RIGHT = {True: "C", False: "I"}
"""What Inspect calls CORRECT and INCORRECT."""
_NO_DATE = "1970-01-01T00:00:00+00:00"


def export_inspect(folder: RunFolder, out: Path) -> list[Path]:
    """Write one `.eval` log for each moment of a run into a new folder; returns their paths, in order.

    Raises `RunError` where `out` is taken or the run is damaged, and `ConfigError` where Inspect is not installed.
    """
    check_installed("rote export inspect")
    from inspect_ai.log import write_eval_log

    check_free(out)
    asked, names = load_asked(folder), []
    with replace_folder(out) as draft:
        for number, (moment, records) in enumerate(asked.moments.items()):
            log = _build_log(asked, moment, records)
            names.append(_name_file(log, number))
            write_eval_log(log, str(draft / names[-1]))
    return [out / name for name in names]


def check_installed(asker: str) -> None:
    """Raise `ConfigError` where Inspect is not installed; `asker` is the command or file that needs it."""
    try:
        import inspect_ai.log  # noqa: F401
    except ImportError as error:
        raise ConfigError(f"{asker}: Inspect is not installed; pip install -e '.[inspect]'") from error


def _build_log(asked: Asked, moment: str, records: Sequence[Record]) -> "EvalLog":
    from inspect_ai.log import (
        EvalConfig,
        EvalDataset,
        EvalLog,
        EvalPlan,
        EvalPlanStep,
        EvalResults,
        EvalSpec,
        EvalStats,
    )

    date = asked.date or _NO_DATE
    name = name_model(asked.model)
    samples = [_build_sample(asked, record, name) for record in records]
    count = len(samples)
    return EvalLog(
        status="success",
        eval=EvalSpec(
            created=date,
            run_id=hash_content([asked.name, date]),
            task=asked.name,
            task_id=hash_content([asked.name, date, moment]),
            task_args={"moment": moment},
            tags=["rote", moment],
            dataset=EvalDataset(name=asked.name, samples=count, sample_ids=[sample.id for sample in samples]),
            model=f"rote/{name}" if moment == "before" else f"rote/{name}-{moment}",
            config=EvalConfig(epochs=1),
            packages=collect_versions(),
            metadata={"moment": moment, "clusters": FACT},
        ),
        plan=EvalPlan(steps=[EvalPlanStep(solver="generate")]),
        results=EvalResults(total_samples=count, completed_samples=count, scores=_build_scores(records)),
        stats=EvalStats(started_at=date, completed_at=date),
        samples=samples,
    )


def _name_file(log: "EvalLog", number: int) -> str:
    """A name as Inspect gives one, by which its tools find logs; in the order of the moments."""
    parts = (log.eval.created, f"{number}-{log.eval.task_args['moment']}-{log.eval.task}", log.eval.task_id)
    return "_".join("".join(c if c.isalnum() or c in "-+." else "-" for c in part) for part in parts) + ".eval"


def _build_sample(asked: Asked, record: Record, model: str) -> "EvalSample":
    from inspect_ai.log import EvalSample
    from inspect_ai.model import ChatMessageAssistant, ChatMessageUser, ModelOutput
    from inspect_ai.scorer import Score

    scores = {_name_score(record): Score(value=_RIGHT[record.correct], answer=record.generated.strip())}
    if record.rank is not None:
        told = f"rank {record.rank} of {record.candidates} candidates"
        scores[_name_choice(record)] = Score(value=_RIGHT[record.rank == 1], explanation=told)
    return EvalSample(
        id=identify(record),
        epoch=1,
        input=record.prompt,
        target=asked.list_answers(record),
        messages=[ChatMessageUser(content=record.prompt), ChatMessageAssistant(content=record.generated)],
        output=ModelOutput.from_content(model, record.generated),
        scores=scores,
        metadata={
            **describe(record),
            "prompt": record.prompt,
            "object_probability": record.object_probability,
            "rank": record.rank,
            "candidates": record.candidates,
        },
    )


def _name_score(record: Record) -> str:
    """A score of its own for each kind of question, as a mean over all says nothing: control prompts, which should not
    bring the object, are among them."""
    return f"{record.fact_set}_facts_{record.prompt_set}_prompts"


def _name_choice(record: Record) -> str:
    return f"{_name_score(record)}_choice"


def _build_scores(records: Sequence[Record]) -> list["EvalScore"]:
    """For each kind of question how many were answered and, where it was a choice, how many chosen."""
    said: dict[str, list[tuple[Record, bool]]] = {}
    for record in records:
        said.setdefault(_name_score(record), []).append((record, record.correct))
        if record.rank is not None:
            said.setdefault(_name_choice(record), []).append((record, record.rank == 1))
    return [_build_score(name, found) for name, found in said.items()]


def _build_score(name: str, found: Sequence[tuple[Record, bool]]) -> "EvalScore":
    """Accuracy and standard error by Inspect's own functions, with facts as clusters where there are several."""
    from inspect_ai.log import EvalMetric, EvalScore
    from inspect_ai.scorer import SampleScore, Score, accuracy, stderr

    mean: Any = accuracy()
    scored: list[Any] = [
        SampleScore(score=Score(value=_RIGHT[value]), sample_id=identify(record), sample_metadata=describe(record))
        for record, value in found
    ]
    cluster = FACT if len({score.sample_metadata[FACT] for score in scored}) > 1 else None
    error: Any = stderr(cluster=cluster)
    metrics = [
        EvalMetric(name="accuracy", value=float(mean(scored))),
        EvalMetric(
            name="stderr",
            value=float(error(scored)),
            params={"cluster": cluster} if cluster else {},
        ),
    ]
    return EvalScore(name=name, scorer=name, metrics={metric.name: metric for metric in metrics})
