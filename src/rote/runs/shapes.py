"""The shape of what a run wrote as JSON: a file that was damaged is named before anything is made of it."""

from pathlib import Path
from typing import Any, get_type_hints

from pydantic import BaseModel, Field, TypeAdapter, ValidationError, create_model

from rote.errors import RunError, shorten
from rote.runs.folder import read_json


class Named(BaseModel):
    """A table, a model or a stage, whatever else is said of it."""

    name: str


class Settings(BaseModel):
    """What decides the result, of a run or of a job; nothing of it must be there."""

    config: dict[str, Any] = {}


class Identity(Settings):
    """Of `identity.json` what is read."""

    table: Named
    model: Named
    files: dict[str, str]
    loading: dict[str, Any]


class Manifest(BaseModel):
    """Of `manifest.json` what is read and has no default."""

    moments: list[str]
    stages: list[Named]


class Measured(BaseModel):
    """Of `manifest.json` which version of the code measured; empty where it does not say."""

    code: str = ""


class _Figure(BaseModel):
    mean: float
    low: float
    high: float
    n: int


class _Method(Named):
    training_tokens: int


class _Compared(_Figure):
    questions: str
    method: str
    difference: _Figure | None


class Comparison(BaseModel):
    """Of `comparison.json` what is read."""

    methods: list[_Method] = Field(min_length=1)
    rows: list[_Compared]


class _Taught(Named):
    facts: int


class _Cell(_Figure):
    table: int
    after: int


class _Change(BaseModel):
    before: _Figure
    after: _Figure
    kept: _Figure | None


class _Relearned(BaseModel):
    moment: str
    count: int
    fact_set: str
    prompt_set: str
    figure: _Figure


class Retained(BaseModel):
    """Of `retention.json` what is read."""

    tables: list[_Taught] = Field(min_length=2)
    cells: list[_Cell]
    average_accuracy: float | None
    forgetting: float | None
    backward_transfer: float | None


class Forgetting(BaseModel):
    """Of `forgetting.json` what is read."""

    method: str
    forgotten_facts: int
    pooled: dict[str, _Change]
    relearning: list[_Relearned]


class _Asked(_Figure):
    questions: str
    form: str
    difference: _Figure | None


class Served(BaseModel):
    """Of `served.json` what is read."""

    rows: list[_Asked] = Field(min_length=1)


def build_shape(row: type) -> Any:
    """The shape of rows that are described by a `TypedDict`: a list of objects with its keys, and maybe others."""
    fields: dict[str, Any] = {name: (kind, ...) for name, kind in get_type_hints(row).items()}
    return list[create_model(row.__name__, **fields)]  # type: ignore[misc]  # made here, so no name for mypy


def read_shaped(path: Path, shape: Any) -> Any:
    """What a JSON file holds, as plain data. Raises `RunError` where it is damaged, or not of the shape."""
    content = read_json(path)
    try:
        TypeAdapter(shape).validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = shorten(".".join(map(str, first["loc"]))) if first["loc"] else "its begin"
        raise RunError(
            f"{path}: is not as a run writes it (at {place}: {first['msg'].lower()}); mend it with the command that "
            "began the run and --resume, or do the run again in another --out"
        ) from error
    return content
