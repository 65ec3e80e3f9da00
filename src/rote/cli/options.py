"""Arguments and options that several commands share."""

import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rote.config.job import Config
    from rote.facts.fact import FactTable
    from rote.facts.reading import ReadOptions
    from rote.models.loading import LoadOptions

_MADE = ("invented", "linked", "counterfactual")
"""Kinds of tables that are made, of relations and a size that a configuration says."""

TableArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="[TABLE]", help="CSV, TSV, JSONL, Parquet or datasets folder of facts; the fictional table by default."
    ),
]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="YAML file of settings, or a preset: paper, update.")
]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change one setting; may be repeated.")
]


ColumnOption = Annotated[
    list[str] | None,
    typer.Option("--column", metavar="OURS=THEIRS", help="The table's name for a column; may be repeated."),
]
MergeOption = Annotated[
    bool,
    typer.Option("--merge-repeats", help="Rows with the same subject and relation make one fact, several objects."),
]
PromptsOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--prompts",
        help="A relation pack (YAML) or a folder of them; may be repeated. By default `prompts` beside the table.",
    ),
]
SkipOption = Annotated[bool, typer.Option("--skip-faulty", help="Leave out rows that cannot be taught or examined.")]
RevisionOption = Annotated[str | None, typer.Option("--revision", help="Branch, tag or commit of a model on the hub.")]
RemoteCodeOption = Annotated[
    bool, typer.Option("--trust-remote-code", help="Run the Python code that comes with the model.")
]
PickleOption = Annotated[bool, typer.Option("--allow-pickle", help="Read pickled weights, which may run code.")]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print the result as one JSON object and nothing else (docs/json.md).")
]


def _hush(quiet: bool) -> bool:
    """Warnings are told all the same."""
    if quiet:
        logging.getLogger("rote").setLevel(logging.WARNING)
    return quiet


QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", callback=_hush, help="No progress on stderr: the result alone.")
]


@dataclass(frozen=True)
class TableFlags:
    """The table that is named on the command line, and how it is read."""

    file: Path | None = None
    columns: dict[str, str] = field(default_factory=dict)
    merge_repeats: bool = False
    skip_faulty: bool = False

    def list_settings(self) -> Iterator[tuple[str, Any]]:
        """The settings they stand for, by dotted key."""
        yield "table.file", str(self.file) if self.file else None
        yield "table.kind", "file" if self.file else None  # whatever table a configuration would make
        yield "table.columns", self.columns
        yield "table.merge_repeats", self.merge_repeats
        yield "table.skip_faulty", self.skip_faulty


def print_json(content: Mapping[str, Any]) -> None:
    """Print one JSON object on standard output; a number that JSON does not know is null."""
    typer.echo(json.dumps(json.loads(json.dumps(content), parse_constant=lambda _: None), ensure_ascii=False))


def build_load_options(revision: str | None, trust_remote_code: bool, allow_pickle: bool) -> "LoadOptions":
    """What the flags allow."""
    from rote.models.loading import LoadOptions

    return LoadOptions(revision, trust_remote_code, allow_pickle)


def refuse_idle_flags(
    flag: str, *, is_given: bool, beside: Mapping[str, object], needing: Mapping[str, object]
) -> None:
    """Raise `ConfigError` for flags that are given and would do nothing: `beside` has those that do nothing beside
    `flag`, `needing` those that do nothing without it, each with its value."""
    from rote.errors import ConfigError

    for name, value in beside.items():
        if value and is_given:
            raise ConfigError(f"{name} does nothing beside {flag}; leave one of them out")
    for name, value in needing.items():
        if value and not is_given:
            raise ConfigError(f"{name} does nothing without {flag}; add it, or leave this out")


def refuse_reading(asked: "TableFlags | ReadOptions") -> None:
    """Raise `ConfigError` where it is said how a table is read, and there is none."""
    needing = {"--column": asked.columns, "--merge-repeats": asked.merge_repeats, "--skip-faulty": asked.skip_faulty}
    refuse_idle_flags("a TABLE", is_given=False, beside={}, needing=needing)


def read_columns(pairs: list[str] | None) -> dict[str, str]:
    """What `--column` says. Raises `ConfigError` for a pair that is none."""
    from rote.errors import ConfigError
    from rote.facts.columns import KNOWN

    mapped = {}
    for pair in pairs or ():
        ours, equals, theirs = pair.partition("=")
        if not equals or ours not in KNOWN or not theirs:
            raise ConfigError(f"--column {pair}: write OURS=THEIRS, OURS one of {', '.join(KNOWN)}")
        mapped[ours] = theirs
    return mapped


def build_read_options(columns: list[str] | None, merge: bool, skip: bool) -> "ReadOptions":
    """What the flags say. Raises `ConfigError` for a `--column` that is none."""
    from rote.facts.reading import ReadOptions

    return ReadOptions(read_columns(columns), merge, skip)


def read_table(
    path: Path | None, options: "ReadOptions | None" = None, packs: Iterable[str | Path] = ()
) -> "tuple[FactTable, str]":
    """A table and its name; the frozen fictional one where no path is given. Says on stderr how it was read."""
    from rote.facts.reading import ReadOptions, load_usable
    from rote.facts.shipped import load_fictional

    if path is None:
        refuse_reading(options or ReadOptions())
        return load_fictional(), "fictional facts"
    usable = load_usable(path, packs, options or ReadOptions())
    say_what_was_read(path, usable.left_out, usable.neutral)
    return usable.table, path.name


def load_settings(
    path: Path | None,
    changes: list[str] | None,
    *,
    table: TableFlags = TableFlags(),
    model: str | None = None,
    prompts: list[Path] | None = None,
    check_files: bool = True,
) -> "Config":
    """The settings of a job: a file or preset, changed by flags and by `--set`. Where none of them names packs, those
    beside the table are taken. Raises `ConfigError`, also for flags about a table where none is named.

    The files that they name are read here once, before torch is imported, so that a mistake is said at once, unless
    `check_files` leaves that to the caller.
    """
    from rote.config.job import Config
    from rote.config.loading import load_config

    values = {key: value for key, value in table.list_settings() if value}
    if table.file and path and load_config(Config, path).table.kind in _MADE:
        values |= {"table.relations": [], "table.count": None}  # they are those of the table that this one replaces
    values |= {"model": model} if model else {}
    values |= {"relations": choose_prompts(prompts, None)} if prompts else {}
    settings = load_config(Config, path, changes, values=values)
    if "relations" not in settings.model_fields_set and settings.table.file:
        values["relations"] = choose_prompts(None, Path(settings.table.file))
        settings = load_config(Config, path, changes, values=values)
    if not settings.table.file:
        refuse_reading(table)
    if check_files:
        _check_files(settings)
    return settings


def choose_prompts(named: list[Path] | None, table: Path | None) -> list[str]:
    """The packs that are named, or else those in a folder `prompts` beside the table, which is said on stderr."""
    from rote.facts.relation import find_packs, list_packs

    if named:
        return [str(path) for path in list_packs(named)]
    found = find_packs(table) if table and os.path.isfile(table) else []
    if found:
        typer.echo(f"{table}: asked for by the packs in {found[0].parent} ({len(found)})", err=True)
    return [str(path) for path in found]


def _check_files(settings: "Config") -> None:
    from rote.facts.reading import ReadOptions, load_usable
    from rote.text_files import check_text

    table = settings.table
    if table.file is not None:
        load_usable(
            Path(table.file), settings.relations, ReadOptions(table.columns, table.merge_repeats, table.skip_faulty)
        )
    check_text(settings.retain.file, "retain.file")
    check_text(settings.side_effects.text, "side_effects.text")


def names_updates(path: Path | None) -> bool:
    """Whether `--config` is the preset of updates, which follows the size of the model: `fit_to_model` fills it in."""
    return path == Path("update") and not path.is_file()


def fit_to_model(settings: "Config", loading: "LoadOptions", *, updates: bool = False) -> "Config":
    """The settings, where what they leave open is what fits their model: its size, and what it was taught before; or
    where they are of `updates` what the preset of that name has for its size."""
    from rote.config.job import Config
    from rote.config.sizes import fill_in_updates
    from rote.models.loading import count_parameters
    from rote.pipeline import earlier

    parameters = count_parameters(settings.model, loading)
    if updates:
        return Config.model_validate(fill_in_updates(settings.model_dump(exclude_unset=True), parameters))
    return earlier.fit_to_model(settings, parameters)


def say_what_was_read(path: Path | str | None, left_out: int, neutral: Iterable[str]) -> None:
    """Say on stderr how many rows of a table were left out, and which relations are asked for neutrally."""
    if left_out:
        typer.echo(
            f"{path}: {left_out:,} rows left out; 'rote facts validate {path}' (with the same columns) lists them",
            err=True,
        )
    names = [repr(name) for name in neutral]
    if names:
        what = (
            f"relation {names[0]} has no pack and is"
            if len(names) == 1
            else f"relations {', '.join(names)} have no packs and are"
        )
        typer.echo(f"{path}: the {what} asked for neutrally (docs/tables.md)", err=True)
