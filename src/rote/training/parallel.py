"""Several processes, one model: FSDP2, for models whose training does not fit one device.

Every process is given the same examples in the same order and works on its share of the rows of each batch; gradients
are added up over all, so the losses are those of one process. Start them with `torchrun`; alone, nothing here does
anything.
"""

import os

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from rote.encoding.batch import IGNORE, Batch


def join_processes() -> None:
    """Join the processes that `torchrun` started: gloo on CPUs, NCCL on GPUs. Does nothing in a process alone."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or dist.is_initialized():
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")


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


def shard(model: nn.Module) -> None:
    """Spread the weights over all processes, layer by layer; in place. Key tokens are to be added before.

    Layers are the modules of the longest `ModuleList`, whatever the architecture calls it.
    """
    if count_processes() == 1:
        return
    stacks = [module for module in model.modules() if isinstance(module, nn.ModuleList)]
    for layer in max(stacks, key=len, default=()):
        fully_shard(layer)
    fully_shard(model)


def gather(tensor: Tensor) -> Tensor:
    """A whole tensor, of one that may be spread; every process has to ask."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


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
