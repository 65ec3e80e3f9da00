"""Checkpoints of a training loop: everything the next step needs, written so that a kill at any moment leaves the
last complete one behind. Tensors are safetensors, the rest is JSON; nothing is pickled.
"""

import json
import logging
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from rote.errors import RunError
from rote.runs.files import compute_sum, keep_file, replace_folder
from rote.training.parallel import by_first, collect, spread_like

_NAME = re.compile(r"step-(\d{8})")
_WEIGHTS, _MOMENTS, _STATE, _SUMS = "model.safetensors", "optimizer.safetensors", "state.json", "sums.json"
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoopState:
    """Where a loop stands: updates done so far and what was logged on the way."""

    step: int
    history: list[dict[str, Any]]


def save_checkpoint(
    folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, state: LoopState, *, owner: str = ""
) -> None:
    """Write a checkpoint under `folder` and remove all but the one before; of several processes, the first one writes.

    `owner` names what is trained: the checkpoint of another is not taken for its own.
    """
    weights, moments = collect(_list_trained(model)), collect(_list_state(optimizer))
    by_first(lambda: _write(folder, weights, moments, state, owner))


def _write(folder: Path, weights: dict[str, Tensor], moments: dict[str, Tensor], state: LoopState, owner: str) -> None:
    with replace_folder(folder / f"step-{state.step:08d}") as target:
        save_file(weights, target / _WEIGHTS)
        save_file(moments, target / _MOMENTS)
        (target / _STATE).write_text(json.dumps(asdict(state)), encoding="utf-8")
        sums = _compute_sums(target, f"{owner}/{state.step}")
        (target / _SUMS).write_text(json.dumps(sums), encoding="utf-8")
    _remove_older(folder)


def _compute_sums(path: Path, owner: str) -> dict[str, str]:
    return {name: compute_sum(path / name, f"{owner}/{name}") for name in (_WEIGHTS, _MOMENTS, _STATE)}


def save_state(model: nn.Module, path: Path) -> None:
    """Write the weights that training changes, without the optimizer's moments; of several processes, the first."""
    weights = collect(_list_trained(model))
    by_first(lambda: _write_weights(path, weights))


def _write_weights(path: Path, weights: dict[str, Tensor]) -> None:
    with keep_file(path) as draft:
        save_file(weights, draft)


@torch.no_grad()
def load_state(model: nn.Module, path: Path) -> None:
    """Put back what `save_state` wrote. Raises `RunError` where it is damaged or does not fit the model."""
    with _explaining(path), safe_open(path, "pt") as tensors:
        for name, parameter in _list_trained(model):
            parameter.copy_(spread_like(tensors.get_tensor(name), parameter))


@contextmanager
def keep_weights(model: nn.Module) -> Iterator[None]:
    """Give a model the very weights back, bit for bit, that it had before the block."""
    kept = {name: tensor.detach().to("cpu", copy=True) for name, tensor in model.state_dict().items()}
    was_training = model.training
    try:
        yield
    finally:
        model.load_state_dict(kept)
        model.train(was_training)


def load_checkpoint(
    folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, *, owner: str = ""
) -> LoopState | None:
    """Put the newest checkpoint under `folder` into the model and the optimizer; None where there is none.

    Where it is damaged, or of another `owner`, the one before it is taken, and that is said. Raises `RunError` where
    that cannot be taken either, or the model is another one.
    """
    newest, path = by_first(lambda: _choose(folder, owner))
    if newest is None:
        return None
    if path is None:
        raise RunError(f"{newest}: is damaged or of other work; delete its folder to start over")
    if path != newest:
        _LOG.warning("%s: is damaged or of other work; going on from %s", newest, path.name)
    load_state(model, path / _WEIGHTS)
    with _explaining(path):
        _restore_state(optimizer, path / _MOMENTS)
        content = json.loads((path / _STATE).read_text(encoding="utf-8"))
        return LoopState(int(content["step"]), list(content["history"]))


def _choose(folder: Path, owner: str) -> tuple[Path | None, Path | None]:
    """The newest checkpoint, and the newest that is whole."""
    found = _list_checkpoints(folder)
    whole = [path for step, path in found if _is_whole(path, f"{owner}/{step}")]
    return (found[-1][1] if found else None), (whole[-1] if whole else None)


def _is_whole(path: Path, owner: str) -> bool:
    try:
        return bool(json.loads((path / _SUMS).read_text(encoding="utf-8")) == _compute_sums(path, owner))
    except (OSError, ValueError):
        return False


@contextmanager
def _explaining(path: Path) -> Iterator[None]:
    """Whatever a damaged file raises becomes one line."""
    try:
        yield
    except (OSError, AttributeError, KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise RunError(f"{path}: is damaged or does not fit the model; delete its folder to start over") from error


def _remove_older(folder: Path) -> None:
    for _, path in _list_checkpoints(folder)[:-2]:
        shutil.rmtree(path)


def _list_checkpoints(folder: Path) -> list[tuple[int, Path]]:
    paths = folder.iterdir() if folder.is_dir() else ()
    return sorted((int(match[1]), path) for path in paths if (match := _NAME.fullmatch(path.name)))


def _list_trained(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """The parameters that training changes, by name; `named_parameters` already lists tied weights once."""
    return ((name, value.detach()) for name, value in model.named_parameters() if value.requires_grad)


def _list_state(optimizer: torch.optim.Optimizer) -> Iterator[tuple[str, Tensor]]:
    return (
        (f"{index}.{name}", tensor)
        for index, entry in optimizer.state_dict()["state"].items()
        for name, tensor in entry.items()
    )


def _restore_state(optimizer: torch.optim.Optimizer, path: Path) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    parameters = optimizer.param_groups[0]["params"]
    with safe_open(path, "pt") as tensors:
        for key in tensors.keys():  # noqa: SIM118 - it is no mapping
            index, name = key.split(".")
            moment = spread_like(tensors.get_tensor(key), parameters[int(index)])
            state.setdefault(int(index), {})[name] = moment
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
