"""Reading a configuration: a YAML file, changed by `key=value` pairs, checked as a whole."""

import difflib
import os
import re
import reprlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import ValidationError

from rote.config.strict import StrictConfig
from rote.errors import ConfigError, explain_yaml, shorten
from rote.text_files import load_yaml, read_text

ConfigType = TypeVar("ConfigType", bound=StrictConfig)
PRESETS = Path(__file__).parent / "presets"


def load_config(
    kind: type[ConfigType],
    path: Path | None = None,
    changes: list[str] | None = None,
    *,
    values: Mapping[str, Any] | None = None,
) -> ConfigType:
    """Build a configuration from a file or a preset (or the defaults) and `--set` changes such as `memorize.epochs=6`.

    `values`, by dotted key, come after the file.

    Raises `ConfigError` naming the key at fault and, for an unknown one, the nearest or all beside it.
    """
    content = _read_yaml(path) if path else {}
    for key, value in (values or {}).items():
        apply_setting(content, key, value)
    sources = {}
    for change in changes or ():
        key, value = read_pair(change)
        section, said = key.partition(".")[0], f"--set {_show(change)}: "
        if section not in content:  # a section that is unknown is so by this
            sources[section] = said
        sources[key] = said
        apply_setting(content, key, value)
    return build_config(kind, content, where=f"{path}: " if path else "", sources=sources)


def build_config(
    kind: type[ConfigType], content: Mapping[str, Any], *, where: str = "", sources: Mapping[str, str] | None = None
) -> ConfigType:
    """Build a configuration from plain data. Raises `ConfigError` for what is wrong; it begins with what `sources` has
    for the setting, by dotted key, else with `where`."""
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise ConfigError(_find_source(error, sources or {}, where) + _explain(kind, error)) from error


def _find_source(error: ValidationError, sources: Mapping[str, str], where: str) -> str:
    place = ".".join(map(str, error.errors()[0]["loc"]))
    named = [key for key in sources if f"{place}.".startswith(f"{key}.")]
    return sources[max(named, key=len)] if named else where


def read_preset(name: str) -> dict[str, Any]:
    """The settings of a preset, as plain data."""
    return _read_yaml(PRESETS / f"{name}.yaml")


def _read_yaml(path: Path) -> dict[str, Any]:
    preset = PRESETS / f"{path}.yaml"
    if path.name == str(path) and not os.path.isfile(path) and preset.is_file():
        path = preset
    try:
        content = load_yaml(read_text(path, limit="settings-bytes"))
    except FileNotFoundError as error:
        presets = sorted(preset.stem for preset in PRESETS.glob("*.yaml"))
        near = difflib.get_close_matches(str(path), presets, n=1)
        remedy = f"did you mean {near[0]}?" if near else f"presets: {', '.join(presets)}"
        raise ConfigError(f"{path}: there is no such file or preset (--config); {remedy}") from error
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read as YAML ({explain_yaml(error)})") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: must hold keys and values, such as 'seed: 1'")
    return content


def merge_settings(base: Mapping[str, Any], content: Mapping[str, Any]) -> dict[str, Any]:
    """Both as plain data; where both say something, what `content` says."""
    merged = {**base, **content}
    for key in base.keys() & content.keys():
        if isinstance(base[key], Mapping) and isinstance(content[key], Mapping):
            merged[key] = merge_settings(base[key], content[key])
    return merged


def read_pair(change: str) -> tuple[str, Any]:
    """The dotted key and the value of a `--set` change. Raises `ConfigError` for what is none."""
    key, equals, value = change.partition("=")
    key = key.strip()
    if not equals or not key:
        raise ConfigError(f"--set {_show(change)}: must look like key=value, such as --set memorize.epochs=6")
    try:
        return key, load_yaml(value)
    except (ValueError, yaml.YAMLError) as error:
        shown = _show(change)
        raise ConfigError(f"--set {shown}: the value is not valid YAML ({explain_yaml(error)})") from error


def _show(change: str) -> str:
    return change[:100] if change.isprintable() else shorten(change, 100)


def apply_setting(content: dict[str, Any], key: str, value: Any) -> None:
    """Put a value at a dotted key; a mapping changes only what it names. Raises `ConfigError` where it has no place."""
    *parents, last = key.split(".")
    place = content
    for parent in parents:
        inner = place.get(parent, {})
        if not isinstance(inner, Mapping):
            raise ConfigError(f"--set {key}={value}: {parent!r} has no keys of its own")
        place[parent] = dict(inner)  # a copy: by a YAML alias it may stand in another place too
        place = place[parent]
    both = isinstance(value, Mapping) and isinstance(place.get(last), Mapping)
    place[last] = merge_settings(place[last], value) if both else value


_REASONS = {
    "tuple_type": "write a list, as [en, de]",
    "int_parsing": "write a whole number",
    "int_from_float": "write a whole number",
    "float_parsing": "write a number",
    "bool_parsing": "write true or false",
}
"""In place of what the library says of the types of Python."""


_KIND = re.compile(r"int|float|str|bool|constrained-\w+|.*\[.*\]")
"""What the library adds to the place of a setting that may be of several kinds: the kind it tried."""


def _explain(kind: type[StrictConfig], error: ValidationError) -> str:
    first = error.errors()[0]
    place = [str(part) for part in first["loc"]]
    if first["type"] != "extra_forbidden" and _KIND.fullmatch(place[-1]):
        place.pop()
    key = ".".join(place)
    if first["type"] == "missing":
        return f"the setting {key!r} is missing; give it a value"
    if first["type"] != "extra_forbidden":
        reason = _REASONS.get(first["type"], first["msg"].lower())
        return f"the setting {key!r} is wrong: {reason} (given: {reprlib.repr(first['input'])})"
    named = ".".join(part for part in place if not part.isdigit())  # a member of a list is known by what it holds
    return f"unknown setting {key!r}; {_suggest(named, _list_keys(kind))}"


def _suggest(key: str, known: Sequence[str]) -> str:
    """The setting whose own name is most like that of an unknown one, or all that stand where it was looked for."""
    section, _, own = key.rpartition(".")
    beside = [name for name in known if name.rpartition(".")[0] == section]
    for names in (beside, known):
        full = {name.rpartition(".")[2]: name for name in reversed(names)}
        if near := difflib.get_close_matches(own, full, n=1):
            return f"the nearest is {full[near[0]]!r}"
    return "none is like it" + (f"; there {'are' if len(beside) > 1 else 'is'} {', '.join(beside)}" if beside else "")


def _list_keys(kind: type[StrictConfig], prefix: str = "") -> list[str]:
    keys: list[str] = []
    for name, field in kind.model_fields.items():
        keys.append(prefix + name)
        for inner in (field.annotation, *get_args(field.annotation)):  # a section, or a list of them
            if isinstance(inner, type) and issubclass(inner, StrictConfig):
                keys += _list_keys(inner, f"{prefix}{name}.")
    return keys
