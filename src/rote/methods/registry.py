"""The methods by name. One of a person's own is named `module:function` and needs no registration."""

import difflib
import hashlib
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from rote.config.loading import build_config
from rote.config.strict import StrictConfig
from rote.errors import ConfigError
from rote.methods import (
    fine_tuning,
    in_context,
    memorize_then_generalize,
    mixed_training,
    paraphrase_fine_tuning,
    repetition,
    sentences,
)
from rote.methods.teaching import Method, Task, Teaching
from rote.models.language_model import LanguageModel


def _teach_nothing(language_model: LanguageModel, task: Task) -> Teaching:
    """The base model."""
    return Teaching()


METHODS: dict[str, Method] = {
    "memorize_then_generalize": memorize_then_generalize.plan,
    "fine_tuning": fine_tuning.plan,
    "paraphrase_fine_tuning": paraphrase_fine_tuning.plan,
    "mixed_training": mixed_training.plan,
    "in_context": in_context.plan,
    "repetition": repetition.plan,
    "sentences": sentences.plan,
    "untaught": _teach_nothing,
}


def find_method(name: str) -> Method:
    """A method by name, or a function of one's own as `module:function`.

    Raises `ConfigError` naming the nearest.
    """
    if ":" in name:
        function = name.partition(":")[2]
        try:
            method: Method = getattr(_import_own(name), function)
        except AttributeError as error:
            raise ConfigError(f"method: {name!r} cannot be imported ({error})") from error
        return method
    if name not in METHODS:
        nearest = difflib.get_close_matches(name, METHODS, n=1, cutoff=0.0)[0]
        raise ConfigError(f"method: there is no {name!r}; the nearest is {nearest!r}, or give module:function")
    return METHODS[name]


def read_settings(name: str, content: Mapping[str, Any]) -> StrictConfig:
    """The settings of a method of one's own, of the class `Settings` of its module.

    Raises `ConfigError` for a key that the class does not have, or where the method takes no settings.
    """
    kind = getattr(_import_own(name), "Settings", None) if ":" in name else None
    if kind is None and content:
        raise ConfigError(f"method_settings: the method {name!r} takes no settings of its own; take them out")
    return build_config(kind, content, where="method_settings: ") if kind else StrictConfig()


def hash_method(name: str) -> str:
    """A hash of the file of a method of one's own; nothing for those of Rote, which its version stands for."""
    file = getattr(_import_own(name), "__file__", None) if ":" in name else None
    return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else ""


def _import_own(name: str) -> ModuleType:
    try:
        return import_module(name.partition(":")[0])
    except (ImportError, ValueError) as error:
        raise ConfigError(f"method: {name!r} cannot be imported ({error})") from error
