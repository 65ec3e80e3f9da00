"""The methods by name. One of a person's own is named `module:function` and needs no registration."""

import difflib
from importlib import import_module

from rote.errors import ConfigError
from rote.methods import (
    fine_tuning,
    in_context,
    lora,
    memorize_then_generalize,
    mixed_training,
    paraphrase_fine_tuning,
    repetition,
)
from rote.methods.teaching import Method, Task, Teaching
from rote.models.adapters import import_peft
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
    "lora": lora.plan,
    "repetition": repetition.plan,
    "untaught": _teach_nothing,
}


def find_method(name: str) -> Method:
    """A method by name, or a function of one's own as `module:function`.

    Raises `ConfigError` naming the nearest, or the extra that a method needs.
    """
    if ":" in name:
        module, _, function = name.partition(":")
        try:
            method: Method = getattr(import_module(module), function)
        except (ImportError, AttributeError, ValueError) as error:
            raise ConfigError(f"method: {name!r} cannot be imported ({error})") from error
        return method
    if name not in METHODS:
        nearest = difflib.get_close_matches(name, METHODS, n=1, cutoff=0.0)[0]
        raise ConfigError(f"method: there is no {name!r}; the nearest is {nearest!r}, or give module:function")
    if METHODS[name] is lora.plan:
        import_peft()  # said before anything is trained
    return METHODS[name]
