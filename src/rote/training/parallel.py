"""Several processes, one model: FSDP2, for models whose training does not fit one device.

Every process is given the same examples in the same order and works on its share of the rows of each batch; gradients
are added up over all, so the losses are those of one process. Start them with `torchrun`; alone, nothing here does
anything.
"""

import os
from collections.abc import Callable, Iterable
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from rote.encoding.example import IGNORE, Batch
from rote.models.language_model import LanguageModel

_TIMEOUT = timedelta(hours=2)
"""How long processes wait for one another: they load a large model one by one, and one of them saves it."""


def join_processes() -> None:
    """Join the processes that `torchrun` started: gloo on CPUs, NCCL on GPUs. Does nothing in a process alone."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or dist.is_initialized():
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo", timeout=_TIMEOUT)


def leave_processes() -> None:
    """Leave them again."""
    if dist.is_initialized():
        dist.destroy_process_group()


def count_processes() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def is_first_process() -> bool:
    """Whether this process is the one that writes files."""
    return not dist.is_initialized() or dist.get_rank() == 0


def wait_for_all() -> None:
    """Go on when every process has come here."""
    if dist.is_initialized():
        dist.barrier()


def load_spread(load: Callable[[], LanguageModel]) -> LanguageModel:
    """What `load` gives, with the weights spread over all processes, layer by layer.

    `load` is to put the model on the CPU, with its key tokens, and to give every process the same one. The processes
    call it one after another and keep their share on their device, so that one whole copy is in memory at a time.
    Layers are the modules of the longest `ModuleList`, whatever the architecture calls it.
    """
    if count_processes() == 1:
        return load()
    mesh = init_device_mesh("cuda" if torch.cuda.is_available() else "cpu", (count_processes(),))
    for turn in range(count_processes()):
        if turn == dist.get_rank():
            language_model = load()
            stacks = [module for module in language_model.model.modules() if isinstance(module, nn.ModuleList)]
            for layer in max(stacks, key=len, default=()):
                fully_shard(layer, mesh=mesh)
            fully_shard(language_model.model, mesh=mesh)
        dist.barrier()
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


def agree(decision: bool) -> bool:
    """What the first process decides: clocks differ, and all must do the same."""
    if count_processes() == 1:
        return decision
    decided = [decision]
    dist.broadcast_object_list(decided)
    return decided[0]


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
