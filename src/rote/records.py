"""`Record`: one question put to a model at one moment, and all that was measured. Figures come from records only."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from rote.errors import RoteError, RunError, first_line

Moment = str
"""`before`, or the name of the stage that was trained last."""
FactSet = Literal[
    "generalize",
    "held_out",
    "known",
    "unseen",
    "replaced",
    "earlier",
    "forgotten",
    "relearned",
    "neighbours",
    "other_relations",
]
QuestionSet = Literal["key", "training", "held_out", "chat", "control"]

MOMENTS: tuple[Moment, ...] = ("before", "memorize", "generalize")
"""Those of memorize-then-generalize, in order."""
FACT_SETS: tuple[FactSet, ...] = (
    *("generalize", "held_out", "known", "unseen", "replaced", "earlier"),
    *("forgotten", "relearned", "neighbours", "other_relations"),
)
"""The last four are those of unlearning: what is forgotten, what of it is taught again, other taught facts of the same
relations, and those of the other relations."""
QUESTION_SETS: tuple[QuestionSet, ...] = ("key", "training", "held_out", "chat", "control")
"""`chat`: the held-out prompts of the training language, put to a chat model as a message."""
NO_LANGUAGE = "-"
"""The language of a key-token prompt, which has none."""


@dataclass(frozen=True, slots=True)
class Record:
    """One fact x prompt x language x moment."""

    moment: Moment
    fact_set: FactSet
    prompt_set: QuestionSet
    language: str
    relation: str
    subject: str
    object: str
    """The object that is taught; other answers and aliases count as right too."""
    prompt: str
    """The text the model was given."""
    generated: str
    """What it said, greedily, until the verdict was sure."""
    correct: bool
    """Whether a right answer appears in `generated`."""
    object_logprobs: tuple[float, ...]
    """Natural log-probability of each token of the object, given the prompt and the tokens before."""
    object_probability: float | None
    """exp of their sum; None of a served model, which tells neither."""
    rank: int | None
    """Rank of the object among the candidates by log-probability per token, 1 is best; None where it was no choice."""
    candidates: int | None
    """How many candidates there were, the object among them; None where it was no choice."""


@dataclass(frozen=True, slots=True)
class Measure:
    """Something that is read off a record, as a number in [0, 1]."""

    name: str
    read: Callable[[Record], float | None]
    """None for a record that it does not apply to."""
    words: str
    """What people call it."""
    meaning: str
    """What its mean says, for the glossary of a report."""


def _read_choice(record: Record) -> float | None:
    return None if record.rank is None else float(record.rank == 1)


MEASURES = {
    measure.name: measure
    for measure in (
        Measure(
            "generation_accuracy",
            lambda record: float(record.correct),
            "generation accuracy",
            "share of questions where the model, writing freely, says a right answer.",
        ),
        Measure(
            "choice_accuracy",
            _read_choice,
            "choice accuracy",
            "share of questions where the object ranks first among up to 100 candidates.",
        ),
        Measure(
            "object_probability",
            lambda record: record.object_probability,
            "object probability",
            "the probability the model gives to all tokens of the object, in order; the mean is shown.",
        ),
    )
}
"""All measures by name, in the order they are shown; summary, columns, tables and report know no others."""


def order_moments(moments: Iterable[Moment]) -> list[Moment]:
    """Each moment once: those of memorize-then-generalize in order, then the stages of other methods as they come."""
    found = dict.fromkeys(moments)
    return [*(name for name in MOMENTS if name in found), *(name for name in found if name not in MOMENTS)]


SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("moment", "fact_set", "prompt_set", "language")),
        *((name, pa.string()) for name in ("relation", "subject", "object", "prompt", "generated")),
        ("correct", pa.bool_()),
        ("object_logprobs", pa.list_(pa.float64())),
        ("object_probability", pa.float64()),
        ("rank", pa.int32()),
        ("candidates", pa.int32()),
    ]
)


def save_records(records: Iterable[Record], path: Path) -> None:
    """Write records as one Parquet file."""
    pq.write_table(pa.Table.from_pylist([asdict(record) for record in records], schema=SCHEMA), path)


def load_records(path: Path) -> list[Record]:
    """Read the records of one Parquet file. Raises `RunError` where it is damaged, or holds something else."""
    try:
        return [
            Record(**{**row, "object_logprobs": tuple(row["object_logprobs"])})
            for row in pq.read_table(path, schema=SCHEMA).to_pylist()
        ]
    except (OSError, ValueError, TypeError, KeyError) as error:  # what pyarrow raises for another file is many things
        raise RunError(
            f"{path}: cannot be read as records ({first_line(error)}); make them again with the command that made them"
        ) from error


def build_frame(rows: Iterable[Mapping[str, Any]]) -> Any:
    """Rows as a `pandas.DataFrame`. Raises `RoteError` where pandas is not installed."""
    try:
        import pandas
    except ImportError as error:
        raise RoteError("to_pandas needs pandas: pip install pandas") from error
    return pandas.DataFrame(list(rows))
