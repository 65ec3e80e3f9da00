"""`Experiment`: a declaration read from YAML: the runs it stands for, what is drawn from their records, and the claims
of the paper it tests.
"""

import difflib
import itertools
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from rote.config.job import Config
from rote.config.loading import apply_setting, build_config, load_config, read_pair, read_preset
from rote.config.sizes import fill_in, fit_settings, has_rates_of_its_own
from rote.config.strict import StrictConfig
from rote.errors import ConfigError
from rote.models.embedded import EMBEDDED_NAME
from rote.models.loading import count_parameters
from rote.pipeline.job import JobRequest, build_request
from rote.records import MEASURES, Record
from rote.text_files import load_yaml

FOLDER = Path(__file__).parent / "declared"
_CAUSES = Path(__file__).parent / "causes.yaml"
_TIMES = re.compile(r"x(\d+(?:\.\d+)?)")


class Column(StrictConfig):
    """One figure, over the records that fit; an empty list fits everything."""

    name: str
    moment: str = ""
    """The moment of the records; by default the last one of the run."""
    measure: str = "generation_accuracy"
    """One of `rote.records.MEASURES`."""
    where: str = ""
    """A measure that has to apply to a record too, so that columns of two measures are over the same questions."""
    fact_set: tuple[str, ...] = ()
    prompt_set: tuple[str, ...] = ()
    language: tuple[str, ...] = ()
    relation: tuple[str, ...] = ()
    label: tuple[str, ...] = ()
    """The groups of facts that count, where the method makes groups."""
    right_before: bool = False
    """Whether only questions count that the untrained model answered, so that what is gained hides nothing lost."""
    paper: tuple[float | None, ...] = ()
    """The paper's figure for each run, where it has one."""

    def fits(self, record: Record, moment: str, label: str) -> bool:
        """Whether a record counts. `moment` is the last of its run and `label` the group of its fact."""
        wanted = (
            (self.fact_set, record.fact_set),
            (self.prompt_set, record.prompt_set),
            (self.language, record.language),
            (self.relation, record.relation),
            (self.label, label),
        )
        return record.moment == (self.moment or moment) and all(not ok or value in ok for ok, value in wanted)

    def read(self, record: Record) -> float | None:
        """The value of a record, in [0, 1]; None where the measure, or that of `where`, does not apply to it."""
        if self.where and MEASURES[self.where].read(record) is None:
            return None
        return MEASURES[self.measure].read(record)

    @field_validator("measure", "where")
    @classmethod
    def _check_measure(cls, name: str) -> str:
        if name and name not in MEASURES:
            raise ValueError(f"there is no measure {name!r}; all: {', '.join(MEASURES)}")
        return name


class Cell(StrictConfig):
    """A place in the table of an experiment."""

    run: str
    column: str


class State(StrictConfig):
    """A figure of the hidden states (analysis room), the mean over the layers."""

    run: str
    moment: str
    measure: Literal["delta_cossim", "key_similarity"]
    prompt_set: str


class Why(StrictConfig):
    """Why a claim does not hold on a model, or is open there, as far as it was examined."""

    text: str
    basis: Literal["measured", "probable", "not examined"]
    """What the reason rests on: figures and records, a guess at what lies behind them, or neither."""
    cause: str = ""
    """What claims of several experiments fail by, a name of `causes.yaml`; empty where the reason is this claim's."""

    @field_validator("cause")
    @classmethod
    def _check_cause(cls, name: str) -> str:
        if name and name not in list_causes():
            raise ValueError(f"there is no cause {name!r}; all: {', '.join(list_causes())}")
        return name


class Claim(StrictConfig):
    """Something the paper (or we) say, as a figure and a bound. Exactly one of the forms below is given.

    `value` is a cell, less `minus` where that is given; `state` is a figure of the hidden states, less `minus_state`
    where that is given. With `over` the figure is the ratio of the training tokens of `value`'s run to those of the
    cheapest run of `over` that answers as well as it in `value`'s column. A claim whose cells change gets another name,
    as verdicts that are kept are known by it.
    """

    name: str
    text: str
    paper: str = ""
    """The paper's figure, as it is printed."""
    value: Cell | None = None
    minus: Cell | None = None
    state: State | None = None
    minus_state: State | None = None
    over: tuple[str, ...] = ()
    """Runs a token ratio is over."""
    at_least: float | None = None
    at_most: float | None = None
    why: dict[str, Why] = Field(default_factory=dict)
    """Where it does not hold, or is open: the reason by model."""

    @model_validator(mode="after")
    def _check(self) -> "Claim":
        if (self.value is None) == (self.state is None):
            raise ValueError("a claim needs either value or state")
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("a claim needs either at_least or at_most")
        return self


class Needed(StrictConfig):
    """How many examples it takes: the smallest number whose run reaches a bound."""

    title: str
    column: str
    at_least: float
    before: str
    """The column of what is reached with no example."""
    groups: dict[str, dict[int, str]]
    """The runs of each group by their number of examples."""


class Worth(StrictConfig):
    """How many edited copies are worth one exact copy, read off the curve of exact copies (arXiv 2405.15523)."""

    title: str
    exact: dict[int, str]
    """Columns by the number of exact copies their facts were shown in."""
    mixed: dict[str, tuple[int, int]]
    """Columns whose facts were shown in so many exact and so many edited copies."""


class Experiment(StrictConfig):
    """Named runs, each a set of changes to the plain setting, the columns of their table and the claims they test."""

    letter: str = ""
    """Its place in the list of the paper's and the literature's experiments."""
    title: str
    description: str
    minutes: float
    """What one seed takes on two cores with `rote-tiny`, at most."""
    base: dict[str, Any] = Field(default_factory=dict)
    """Changes that all runs share."""
    runs: dict[str, dict[str, Any]] = Field(min_length=1)
    columns: tuple[Column, ...] = Field(min_length=1)
    claims: tuple[Claim, ...] = ()
    needed: Needed | None = None
    worth: Worth | None = None
    examined_with: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """The `--set` pairs of the runs that the reasons of its claims rest on, by model; a model left out has none."""

    @property
    def names_models(self) -> bool:
        """Whether it is about models of its own, and not about any that is asked for."""
        return "model" in self.base or all("model" in settings for settings in self.runs.values())

    @property
    def heading(self) -> str:
        """Its title, with its letter."""
        return f"{self.title} ({self.letter})" if self.letter else self.title

    @model_validator(mode="after")
    def _check(self) -> "Experiment":
        for column in self.columns:
            if len(column.paper) not in (0, len(self.runs)):
                raise ValueError(f"the column {column.name!r} needs one figure of the paper for each run")
        names = {column.name for column in self.columns}
        for claim in self.claims:
            for cell in (claim.value, claim.minus):
                if cell and (cell.run not in self.runs or cell.column not in names):
                    raise ValueError(f"the claim {claim.name!r} names a cell that is not there: {cell}")
            for run in (*claim.over, *(state.run for state in (claim.state, claim.minus_state) if state)):
                if run not in self.runs:
                    raise ValueError(f"the claim {claim.name!r} names a run that is not there: {run}")
        self._check_tables(names)
        return self

    def _check_tables(self, names: Collection[str]) -> None:
        """What the tables of examples and of copies name has to be there, as an empty cell says nothing of it."""
        needed, worth = self.needed, self.worth
        columns = [needed.column, needed.before] if needed else []
        columns += [*worth.exact.values(), *worth.mixed] if worth else []
        runs = [run for group in needed.groups.values() for run in group.values()] if needed else []
        for name, known in (*((column, names) for column in columns), *((run, self.runs) for run in runs)):
            if name not in known:
                raise ValueError(f"a table names what is no run or column: {name}")


@dataclass(frozen=True)
class PlannedRun:
    """One run of an experiment."""

    name: str
    seed: int
    request: JobRequest


@cache
def list_causes() -> dict[str, str]:
    """What claims of more than one experiment fail by: a sentence by name."""
    found: dict[str, str] = load_yaml(_CAUSES.read_text(encoding="utf-8"))
    return found


def list_experiments() -> dict[str, Experiment]:
    """All declared experiments by name, in the order of their letters."""
    loaded = {path.stem: load_config(Experiment, path) for path in sorted(FOLDER.glob("*.yaml"))}
    return dict(sorted(loaded.items(), key=lambda item: (item[1].letter or "~", item[0])))


def find_experiment(name: str) -> str:
    """The name of a declared experiment, given its name or letter. Raises `ConfigError` naming those there are."""
    experiments = list_experiments()
    for known, experiment in experiments.items():
        if name == known or (name and name == experiment.letter):
            return known
    nearest = difflib.get_close_matches(name, experiments, n=1, cutoff=0.0)[0]
    raise ConfigError(f"unknown experiment {name!r}; the nearest is {nearest!r}, all: {', '.join(experiments)}")


def plan_runs(
    experiment: Experiment, *, seeds: int | None, model: str = EMBEDDED_NAME, changes: Sequence[str] = ()
) -> Iterator[PlannedRun]:
    """The runs of an experiment, seed by seed; without `seeds` there is no end of them. `changes` are `--set` pairs for
    what the runs share; of what one says as a multiple (`x3`), the multiple stays. Multiples of learning rates were
    found on the embedded model: one whose size has rates of its own is taught at those.

    Raises `ConfigError` for a model or a pair that would make a run something else than it is called.
    """
    if experiment.names_models and model != EMBEDDED_NAME:
        raise ConfigError(f"--model {model}: {experiment.title!r} is about models of its own; leave it out")
    pairs = dict(map(read_pair, changes))
    for key in pairs:
        _refuse_own(experiment, key)
    for seed in itertools.count() if seeds is None else range(seeds):
        for name, settings in experiment.runs.items():
            shared = {"model": model, **experiment.base, **pairs}
            own = {**settings, "seed": seed}
            merged = {**{key: shared[key] for key in shared if key not in own}, **own}
            config = build_experiment_config(_drop_multiples(merged) if _has_rates_of_its_own(merged) else merged)
            request = build_request(config)
            _refuse_nothing_derived(experiment, request, said=pairs)
            yield PlannedRun(name, seed, request)


def _refuse_nothing_derived(experiment: Experiment, request: JobRequest, *, said: Mapping[str, Any]) -> None:
    """A run about facts that follow from others says nothing where none does."""
    plan, names = request.plan, request.config.derive.relations
    if not names or plan.derived_facts:
        return
    derivations = [relation.derived for relation in plan.relations.values() if relation.derived]
    ways = dict.fromkeys(f"[{','.join(derivation.sources)}]" for derivation in derivations)
    remedies = {
        "table.kind": "leave --set table.kind out",
        "table.relations": f"name --set table.relations={' or '.join(ways)}",
    }
    apt = [remedy for key, remedy in remedies.items() if any(_overlap(key, name) for name in said)]
    raise ConfigError(
        f"the table ({request.config.table.kind} facts of {', '.join(plan.table.relations)}): nothing that "
        f"{experiment.title!r} asks about ({', '.join(names)}) follows from it; "
        + (", and ".join(apt) or "take a larger one with --set table.count")
    )


def _refuse_own(experiment: Experiment, key: str) -> None:
    if key == "seed":
        raise ConfigError("--set seed: an experiment has its own; say how many with --seeds")
    if key == "model":
        raise ConfigError("--set model: results are known by it; say it with --model")
    said = [
        {name: value for name, value in run.items() if _overlap(name, key) and not _is_multiple(value)}
        for run in experiment.runs.values()
    ]
    if any(said):
        raise ConfigError(
            f"--set {key}: runs of {experiment.title!r} differ in it, and would no longer be what they are called; "
            "leave it out"
        )


def _has_rates_of_its_own(settings: Mapping[str, Any]) -> bool:
    model = settings["model"]
    return bool(model) and isinstance(model, str) and has_rates_of_its_own(_count_parameters(model))


def _drop_multiples(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Settings without multiples of learning rates, which are then left open."""
    kept = {}
    for name, value in settings.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping):
            kept[name] = _drop_multiples(value, f"{key}.")
        elif not (key.endswith(".learning_rate") and _is_multiple(value)):
            kept[name] = value
    return kept


def _overlap(key: str, other: str) -> bool:
    """Whether two dotted keys are one, or one of them holds the other."""
    return f"{key}.".startswith(f"{other}.") or f"{other}.".startswith(f"{key}.")


def _is_multiple(value: Any) -> bool:
    return isinstance(value, str) and bool(_TIMES.fullmatch(value))


def build_experiment_config(settings: Mapping[str, Any]) -> Config:
    """The configuration of a job of an experiment or a sweep, from settings by dotted key.

    What they leave open is the preset `experiment`, with what fits the model's size. A value such as `x3` is so many
    times what fits the model's size, so that a declaration holds for every model. Raises `ConfigError`.
    """
    content = read_preset("experiment")
    model = settings.get("model", EMBEDDED_NAME)
    if not isinstance(model, str) or not model:  # what a file leaves empty is no name to look for anywhere
        raise ConfigError(f"model={model}: must name a model; give its folder, its name on the hub, or {EMBEDDED_NAME}")
    parameters = _count_parameters(model)
    usual = Config.model_validate(fit_settings(parameters))
    for key, value in settings.items():
        apply_setting(content, key, _scale(usual, key, value))
    return build_config(Config, fill_in(content, parameters))


def _scale(usual: Config, key: str, value: Any) -> Any:
    """The value; of a mapping all values in it, and of `x3` three times the usual one."""
    if isinstance(value, Mapping):
        return {name: _scale(usual, f"{key}.{name}", inner) for name, inner in value.items()}
    times = _TIMES.fullmatch(value) if isinstance(value, str) else None
    if not times:
        return value
    found: Any = usual
    for part in key.split("."):
        found = getattr(found, part, None)
    if isinstance(found, str):  # a text such as a key token may look like one
        return value
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise ConfigError(f"{key}={value}: there is no number to multiply; write the value itself")
    product = float(times[1]) * found
    return max(1, round(product)) if isinstance(found, int) else product


@cache
def _count_parameters(model: str) -> int:
    return count_parameters(model)
