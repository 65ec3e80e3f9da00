"""Several processes, one model: FSDP2, for models whose training does not fit one device.

Every process does the whole job in step with the others on a model whose weights are spread over all; each works on its
share of the rows of a training batch, and gradients are added up, so the losses are those of one process. What is asked
of the model is asked by all. The first process alone writes files and decides by what is there. Start them with
`torchrun --nproc-per-node 2 -m rote run ...`; alone, nothing here does anything.
"""

import os
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from transformers import PreTrainedModel

from rote.encoding.example import IGNORE, Batch
from rote.models.language_model import LanguageModel

Found = TypeVar("Found")

_TIMEOUT = timedelta(hours=2)
"""How long processes wait for one another: they load a large model one by one, and one of them saves it."""
_LAUNCHER = ("RANK", "WORLD_SIZE", "LOCAL_", "GROUP_", "ROLE_", "MASTER_", "TORCHELASTIC_")
"""How the names begin of what `torchrun` tells a process."""


def join_processes() -> None:
    """Join the processes that `torchrun` started: gloo on CPUs, NCCL on GPUs. What is started from here is alone."""
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo", timeout=_TIMEOUT)
    for name in [name for name in os.environ if name.startswith(_LAUNCHER)]:
        del os.environ[name]


def leave_processes() -> None:
    """Leave them again, when all have come to their end."""
    dist.barrier()
    dist.destroy_process_group()


def count_processes() -> int:
    """How many processes work together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def is_first_process() -> bool:
    """Whether this process is the one that writes files."""
    return not dist.is_initialized() or dist.get_rank() == 0


def by_first(do: Callable[[], Found]) -> Found:
    """What the first process finds or does; the others do nothing, wait for it and are told.

    Clocks differ, and files come and go: where something hangs on them, all must do the same.
    """
    if count_processes() == 1:
        return do()
    told = [do() if is_first_process() else None]
    dist.broadcast_object_list(told)
    return told[0]  # type: ignore[return-value]  # what `do` gave in the first process


def load_spread(load: Callable[[], LanguageModel]) -> LanguageModel:
    """What `load` gives, with the weights spread over all processes, layer by layer.

    `load` is to put the model on the CPU and to give every process the same one. The processes call it one after
    another and keep their share on their device, so that one whole copy is in memory at a time. Layers are the modules
    of the longest `ModuleList`, whatever the architecture calls it.
    """
    if count_processes() == 1:
        return load()
    mesh = init_device_mesh("cuda" if torch.cuda.is_available() else "cpu", (count_processes(),))
    for turn in range(count_processes()):
        if turn == dist.get_rank():
            language_model = load()
            modules = list(language_model.model.modules())
            whole = next(module for module in modules if isinstance(module, PreTrainedModel))  # inside of adapters
            stacks = [module for module in modules if isinstance(module, nn.ModuleList)]
            # Each is put together again for every use, the rest of the model too: what was loaded into it is then seen.
            for part in (*max(stacks, key=len, default=()), whole):
                fully_shard(part, mesh=mesh, reshard_after_forward=True)
        dist.barrier()
    # torch keeps the tensors that weights are first put together in, and those of inference mode cannot be trained.
    for part in (module for module in language_model.model.modules() if isinstance(module, FSDPModule)):
        part.unshard()
        part.reshard()
    return language_model


def collect_model(language_model: LanguageModel, load: Callable[[], LanguageModel]) -> LanguageModel:
    """The model as it stands, whole: in the first process what `load` gives, with the weights of all."""
    if count_processes() == 1:
        return language_model
    state = collect(language_model.model.state_dict().items())
    if is_first_process():
        shown, language_model = language_model.shown, load()
        language_model.model.load_state_dict(state)
        language_model.shown = shown
    return language_model


def gather(tensor: Tensor) -> Tensor:
    """A whole tensor, of one that may be spread; every process has to ask."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def collect(tensors: Iterable[tuple[str, Tensor]]) -> dict[str, Tensor]:
    """Whole tensors by name, in the first process; nothing in the others, all of which have to ask.

    Those that are spread are copied to the CPU one by one: all of them together need not fit a device.
    """
    found: dict[str, Tensor] = {}
    for name, tensor in tensors:
        whole = gather(tensor)
        if is_first_process():
            found[name] = (whole.cpu() if whole is not tensor else whole).contiguous()
    return found


def spread_like(tensor: Tensor, other: Tensor) -> Tensor:
    """A whole tensor spread as another one of its shape is."""
    if isinstance(other, DTensor) and tensor.shape == other.shape:
        return distribute_tensor(tensor, other.device_mesh, other.placements)
    return tensor


def take_share(batch: Batch) -> Batch:
    """The rows of a batch that this process works on; where there are too few, one without labels: all must compute."""
    if count_processes() == 1:
        return batch
    rows = slice(dist.get_rank(), None, count_processes())
    if len(batch.input_ids[rows]):
        return Batch(batch.input_ids[rows], batch.labels[rows])
    return Batch(batch.input_ids[:1], torch.full_like(batch.labels[:1], IGNORE))


def add_up(tensor: Tensor) -> Tensor:
    """The sum over all processes."""
    if count_processes() > 1:
        dist.all_reduce(tensor)
    return tensor
