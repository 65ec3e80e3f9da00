"""Tasks of lm-evaluation-harness (extra `lm-eval`), asked of a model in memory, question by question."""

import copy
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from rote.config.examining import SideEffectsConfig
from rote.errors import ConfigError, first_line

_BATCH = 8
"""lm-eval holds the logits of every token of a batch, over the whole vocabulary."""


def check_tasks(settings: SideEffectsConfig) -> None:
    """Raise `ConfigError` where lm-eval is missing, does not know a task, or cannot load what it asks."""
    if not settings.tasks:
        return
    manager = _build_manager(settings)
    unknown = [name for name in settings.tasks if name not in manager.all_tasks]
    if unknown:
        raise ConfigError(
            f"--set side_effects.tasks: lm-eval has no task {unknown[0]!r}; 'lm_eval ls tasks' lists them, and "
            "--set side_effects.task_folder=FOLDER adds your own"
        )
    try:
        manager.load(list(settings.tasks))
    except Exception as error:  # the code of a task, and a data set that is not there, may raise anything
        reason = first_line(error)
        names = ", ".join(settings.tasks)
        raise ConfigError(f"--set side_effects.tasks: lm-eval cannot load {names} ({reason})") from error


def score_tasks(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, settings: SideEffectsConfig
) -> dict[str, dict[str, Any]]:
    """For each task its first metric of which more is better and that is a number for every question, and its values
    by question, as lm-eval asks by default; a group of tasks comes as its members.

    Raises `ConfigError` where a task has no such metric. Model and tokenizer stay as they are.
    """
    import lm_eval
    from lm_eval.models.huggingface import HFLM

    tokenizer = copy.deepcopy(tokenizer)  # lm-eval gives one without a padding token one
    with _leave_ties(model):
        asked = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=_BATCH)
    found: Any = lm_eval.simple_evaluate(
        model=asked,
        tasks=list(settings.tasks),
        task_manager=_build_manager(settings),
        limit=settings.task_limit or None,
        bootstrap_iters=0,
    )
    better = found["higher_is_better"]
    return {name: _read_samples(name, samples, better.get(name, {})) for name, samples in found["samples"].items()}


def _read_samples(name: str, samples: Sequence[Mapping[str, Any]], better: Mapping[str, bool]) -> dict[str, Any]:
    for metric in samples[0]["metrics"]:
        values: dict[str, Any] = {str(sample["doc_id"]): sample.get(metric) for sample in samples}
        if better.get(metric) and all(isinstance(value, int | float) for value in values.values()):
            return {"metric": metric, "values": {question: float(value) for question, value in values.items()}}
    raise ConfigError(
        f"--set side_effects.tasks: no metric of {name!r} is a number for every question of which more is better"
    )


def _build_manager(settings: SideEffectsConfig) -> Any:
    try:
        from lm_eval.tasks import TaskManager
    except ImportError as error:
        raise ConfigError("--set side_effects.tasks: lm-eval is not installed; pip install -e '.[lm-eval]'") from error
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    if settings.task_folder and not Path(settings.task_folder).is_dir():
        raise ConfigError(f"{settings.task_folder}: there is no such folder (--set side_effects.task_folder)")
    return TaskManager(include_path=settings.task_folder)


@contextmanager
def _leave_ties(model: PreTrainedModel) -> Iterator[None]:
    """lm-eval ties a model's weights again, which adapters on the embeddings do not survive."""
    vars(model)["tie_weights"] = lambda *_, **__: None
    try:
        yield
    finally:
        del vars(model)["tie_weights"]
