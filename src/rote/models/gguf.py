"""Reading a GGUF file, the form llama.cpp and Ollama keep a model in: its weights become float32 and can be trained."""

import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

import torch
from tokenizers import pre_tokenizers
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils.logging import disable_progress_bar

from rote.errors import ModelError
from rote.limits import describe_move, get_limit

SUFFIX = ".gguf"

disable_progress_bar()  # type: ignore[no-untyped-call]  # progress is shown by whoever calls


@contextmanager
def _no_bar() -> Iterator[None]:
    """transformers shows a bar of its own while it reads, whatever it is told."""
    with redirect_stderr(io.StringIO()):
        yield


@_no_bar()
def read_gguf(file: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The model and the tokenizer of a GGUF file, all of whose weights are there; `check_gguf` comes first."""
    import gguf

    where, options, reader = str(file.parent), {"gguf_file": file.name}, gguf.GGUFReader(file)
    _check_layers(reader)
    tokenizer = AutoTokenizer.from_pretrained(where, **options)
    if _puts_space(reader):  # transformers does not look at it
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    loaded: Any = AutoModelForCausalLM.from_pretrained(where, dtype=torch.float32, output_loading_info=True, **options)
    quantized, found = loaded
    if found["missing_keys"]:  # transformers would put random ones in their place
        raise ValueError(f"{len(found['missing_keys'])} weights are missing: {sorted(found['missing_keys'])[0]}")
    config = quantized.config
    if hasattr(config, "quantization_config"):  # the weights are plain numbers from here on
        del config.quantization_config
    model: Any = AutoModelForCausalLM.from_config(config, dtype=torch.float32)  # type: ignore[no-untyped-call]
    model.load_state_dict(quantized.state_dict())
    model.generation_config = quantized.generation_config
    return model, tokenizer


def _check_layers(reader: Any) -> None:
    count = _get(reader, f"{_get(reader, 'general.architecture')}.block_count")
    if isinstance(count, int) and count > get_limit("layers"):
        raise ValueError(f"it says that it has {count:,} layers, and no model has so many, {describe_move('layers')}")


def _puts_space(reader: Any) -> bool:
    """Whether the tokenizer of a file is a byte-level one that puts a space before a text; llama.cpp leaves that to
    whoever writes the prompt, and the file says it for those who read it."""
    return _get(reader, "tokenizer.ggml.model") == "gpt2" and bool(_get(reader, "tokenizer.ggml.add_space_prefix"))


def _get(reader: Any, name: str) -> Any:
    field = reader.get_field(name)
    return None if field is None else field.contents()


def read_gguf_config(file: Path) -> Any:
    """The config of the model in a GGUF file."""
    import gguf

    _check_layers(gguf.GGUFReader(file))
    return AutoConfig.from_pretrained(str(file.parent), gguf_file=file.name)


def check_gguf(name: str) -> None:
    """Raise `ModelError` without the extra that reads GGUF."""
    try:
        import accelerate  # noqa: F401
        import gguf  # noqa: F401
    except ImportError:
        raise ModelError(f"{name}: reading GGUF needs two more packages; pip install -e '.[gguf]'") from None
