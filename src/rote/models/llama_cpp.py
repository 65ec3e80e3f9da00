"""llama.cpp itself, to ask a GGUF file as it will be served."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

_CONTEXT = 2048
"""Tokens of a prompt and its answer."""


def has_llama_cpp() -> bool:
    """Whether the extra `llama-cpp` is installed."""
    return find_spec("xllamacpp") is not None


@contextmanager
def serve_gguf(file: Path) -> Iterator[str]:
    """A server of llama.cpp for a file, reached from this machine alone; gives its address, and ends with the block."""
    import xllamacpp

    settings: Any = xllamacpp.CommonParams()
    settings.model.path = str(file)
    settings.n_ctx = _CONTEXT
    settings.n_parallel = 1  # one question at a time: no answer depends on what is asked beside it
    settings.cpuparams.n_threads = torch.get_num_threads()
    settings.warmup = False
    settings.verbosity = -1
    server = xllamacpp.Server(settings)
    try:
        yield f"{server.listening_address}/v1"
    finally:
        del server
