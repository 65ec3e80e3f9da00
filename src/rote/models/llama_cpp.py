"""llama.cpp itself, to ask a GGUF file as it will be served."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from rote.errors import ModelError, first_line

_CONTEXT = 2048
"""Tokens of a prompt and its answer."""
_WAIT = 60
"""Seconds for the tokens of a prompt."""


def has_llama_cpp() -> bool:
    """Whether the extra `llama-cpp` is installed."""
    return find_spec("xllamacpp") is not None


@contextmanager
def serve_gguf(file: Path) -> Iterator[str]:
    """A server of llama.cpp for a file, reached from this machine alone; gives its address, and ends with the block.

    Raises `ModelError` for a file that llama.cpp does not take.
    """
    import xllamacpp

    settings: Any = xllamacpp.CommonParams()
    settings.model.path = str(file)
    settings.n_ctx = _CONTEXT
    settings.n_parallel = 1  # one question at a time: no answer depends on what is asked beside it
    settings.cpuparams.n_threads = torch.get_num_threads()
    settings.warmup = False
    settings.verbosity = -1
    try:
        server = xllamacpp.Server(settings)
    except (RuntimeError, ValueError) as error:
        raise ModelError(
            f"{file}: llama.cpp cannot serve it ({first_line(error)}); take another number format, or another version "
            "of xllamacpp"
        ) from error
    try:
        yield f"{server.listening_address}/v1"
    finally:
        del server


def tokenize_served(url: str, text: str) -> list[int]:
    """The token ids that the llama.cpp server at `url`, as `serve_gguf` gives it, makes of a prompt."""
    content = json.dumps({"content": text, "add_special": True, "parse_special": True}).encode()
    address = f"{url.removesuffix('/v1')}/tokenize"
    request = urllib.request.Request(address, content, {"Content-Type": "application/json"})
    try:  # through no proxy, as the server is on this machine
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=_WAIT) as reply:
            ids: list[int] = json.load(reply)["tokens"]
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{address}: llama.cpp does not tell its tokens ({first_line(error)})") from error
    return ids
