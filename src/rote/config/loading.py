"""Reading a configuration: a YAML file, changed by `key=value` pairs, checked as a whole."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from rote.config.strict import StrictConfig
from rote.errors import ConfigError, explain_yaml

ConfigType = TypeVar("ConfigType", bound=StrictConfig)


def load_config(
    kind: type[ConfigType],
    path: Path | None = None,
    changes: list[str] | None = None,
    *,
    base: Mapping[str, Any] | None = None,
) -> ConfigType:
    """Build a configuration from a file (or the defaults) and `--set` changes such as `memorize.epochs=6`.

    `base` takes the place of defaults where neither says anything.

    Raises `ConfigError` naming the key at fault and, for an unknown one, the nearest that exists.
    """
    content = _merge(base or {}, _read_yaml(path) if path else {})
    for change in changes or ():
        _apply(content, change)
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        where = f"{path}: " if path else ""
        raise ConfigError(where + _explain(kind, error)) from error


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: there is no such file (--config)") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read as YAML ({explain_yaml(error)})") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: must hold keys and values, such as 'seed: 1'")
    return content


def _merge(base: Mapping[str, Any], content: Mapping[str, Any]) -> dict[str, Any]:
    """Both; where both say something, what `content` says."""
    merged = {**base, **content}
    for key in base.keys() & content.keys():
        if isinstance(base[key], Mapping) and isinstance(content[key], Mapping):
            merged[key] = _merge(base[key], content[key])
    return merged


def _apply(content: dict[str, Any], change: str) -> None:
    key, equals, value = change.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set {change}: must look like key=value, such as --set memorize.epochs=6")
    *parents, last = key.split(".")
    place = content
    for parent in parents:
        inner = place.get(parent, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"--set {change}: {parent!r} has no keys of its own")
        place[parent] = dict(inner)  # a copy: by a YAML alias it may stand in another place too
        place = place[parent]
    try:
        place[last] = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {change}: the value is not valid YAML") from error


def _explain(kind: type[StrictConfig], error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        return f"the setting {key!r} is missing"
    if first["type"] != "extra_forbidden":
        return f"the setting {key!r} is wrong: {first['msg'].lower()} (given: {first['input']!r})"
    known = _list_keys(kind)
    nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.0)
    return f"unknown setting {key!r}; the nearest is {nearest[0]!r}"


def _list_keys(kind: type[StrictConfig], prefix: str = "") -> list[str]:
    keys: list[str] = []
    for name, field in kind.model_fields.items():
        keys.append(prefix + name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, StrictConfig):
            keys += _list_keys(field.annotation, f"{prefix}{name}.")
    return keys
