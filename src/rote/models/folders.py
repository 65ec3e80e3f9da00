"""The folder of a model, looked at before anything of it is loaded: what it is, and what may not be loaded."""

import json
import os
from pathlib import Path
from typing import Any

from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from rote.errors import ModelError, first_line, shorten
from rote.limits import describe_move, get_limit
from rote.models.gguf import SUFFIX, check_gguf

_LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "decoder_layers", "encoder_layers")
"""What configs call the number of their layers."""
_ADAPTER_FILE = "adapter_config.json"
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, RecursionError)
"""What reading a damaged JSON file raises, and looking for a key in what it holds."""


def is_file(path: Path) -> bool:
    """Whether there is such a file; unlike `Path.is_file`, this does not raise for a name no path can have."""
    return os.path.isfile(path)


def exists(path: Path) -> bool:
    """As `is_file`, for folders too."""
    return os.path.exists(path)


def is_adapter_folder(folder: Path) -> bool:
    """Whether a folder holds adapters alone."""
    return exists(folder / _ADAPTER_FILE) and not exists(folder / "config.json")


def read_base(folder: Path) -> str:
    """The base model of a folder of adapters. Raises `ModelError` where the folder does not say it."""
    try:
        return str(json.loads((folder / _ADAPTER_FILE).read_text(encoding="utf-8"))["base_model_name_or_path"])
    except _UNREADABLE as error:
        raise ModelError(f"{folder / _ADAPTER_FILE}: cannot be read ({first_line(error)}); save it again") from error


def check_folder(path: Path) -> None:
    """Raise `ModelError` for what is neither the folder of a model or of adapters nor a GGUF file."""
    if not path.is_dir():
        if path.suffix == SUFFIX:
            check_gguf(str(path))
            return
        raise ModelError(f"{path}: is a file; --model takes the folder of a model, or a .gguf file")
    if not (path / "config.json").is_file() and not is_adapter_folder(path):
        inside = f"; give {path / 'model'}" if (path / "model" / "config.json").is_file() else ""
        raise ModelError(f"{path}: is not a model folder (it has no config.json){inside or '; give the one that has'}")


def check_weights(path: Path, *, allow_pickle: bool, trust_remote_code: bool) -> None:
    """Say at once which flag a folder needs, rather than what a library says that does not know it.

    Raises `ModelError` for that, and for weights that lie elsewhere.
    """
    if not allow_pickle and not any(path.glob("*.safetensors")) and any(path.glob("*.bin")):
        raise ModelError(
            f"{path}: has only pickled weights (.bin), which may run code when they are read; convert them to "
            "safetensors, or add --allow-pickle if you trust them"
        )
    if _needs_code(path) and not trust_remote_code:
        raise ModelError(
            f"{path}: comes with Python code of its own (auto_map in config.json); read it, and add "
            "--trust-remote-code if you trust it"
        )
    for index in path.glob("*.index.json"):
        _check_index(index)


def _check_index(index: Path) -> None:
    """Whether all weights that an index names lie in its folder: a model is what is in its folder, and no more."""
    try:
        names = {str(name) for name in json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()}
    except (*_UNREADABLE, AttributeError) as error:
        raise ModelError(f"{index}: is damaged ({first_line(error)}); get the model again") from error
    outside = next((name for name in sorted(names) if Path(name).is_absolute() or ".." in Path(name).parts), None)
    if outside is not None:
        raise ModelError(f"{index}: names weights outside the model's folder ({shorten(outside)}); get the model again")


def _needs_code(path: Path) -> bool:
    """Whether a folder brings code for a kind of model that `transformers` does not have."""
    try:
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):  # said when it is loaded
        return False
    return isinstance(config, dict) and "auto_map" in config and config.get("model_type") not in CONFIG_MAPPING


def check_layers(config: Any) -> None:
    """Raise `ValueError` for a config, as plain data, with more layers than any model has; each takes time and room."""
    for key, value in config.items():
        if isinstance(value, dict):
            check_layers(value)
        if key in _LAYERS and isinstance(value, int) and value > get_limit("layers"):
            more = describe_move("layers")
            raise ValueError(f"{key} is {value:,} in its config, and no model has so many, {more}")
