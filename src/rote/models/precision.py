"""Which number format the arithmetic uses."""

from contextlib import AbstractContextManager, nullcontext
from functools import cache

import torch


@cache
def has_fast_bf16(device_type: str) -> bool:
    """Whether bfloat16 arithmetic is in the hardware; emulated bfloat16 on a CPU is far slower than float32."""
    if device_type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device_type == "cpu" and bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def autocast(device: torch.device) -> AbstractContextManager[object]:
    """bfloat16 autocast where the hardware has it; weights and their updates stay float32."""
    if has_fast_bf16(device.type):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


def describe_precision(device: torch.device) -> str:
    """The format of the arithmetic, for the manifest."""
    return "bfloat16 autocast over float32 weights" if has_fast_bf16(device.type) else "float32"
