"""Loading a model: `load_model("rote-tiny")` gives the embedded one, the name of a fetched one that one, a GGUF file
the model in it; anything else is a folder, or the name of a model on the hub, that `AutoModelForCausalLM` loads. `wrap`
takes a model that is loaded already.
"""

import difflib
import json
import logging
import reprlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils.logging import disable_progress_bar, get_verbosity, set_verbosity

from rote.config.teaching import KeyStrategy
from rote.errors import ModelError, first_line
from rote.models.adapters import import_peft, merge_adapters
from rote.models.embedded import EMBEDDED_NAME, locate_embedded_model
from rote.models.fetching import FETCHABLE, is_fetched, locate_fetched
from rote.models.folders import check_folder, check_layers, check_weights, exists, is_adapter_folder, is_file, read_base
from rote.models.gguf import SUFFIX, read_gguf, read_gguf_config
from rote.models.key_tokens import make_room_for_keys
from rote.models.language_model import LanguageModel
from rote.runs.ledger import LEDGER_FILE
from rote.runs.manifest import find_snapshot
from rote.runs.sums import find_damaged_model

ROTE_FILE = "rote.json"
"""What a folder says of its key tokens and of the base model."""
_LOG = logging.getLogger(__name__)
_PROBE = "an old town"
"""What every tokenizer can read and give back."""

disable_progress_bar()  # type: ignore[no-untyped-call]  # progress is shown by whoever calls


@dataclass(frozen=True)
class LoadOptions:
    """What may be done to load a model. By default no code of others is run: safetensors, and classes of ours."""

    revision: str | None = None
    """Branch, tag or commit on the hub."""
    trust_remote_code: bool = False
    """Run the Python code that comes with the model."""
    allow_pickle: bool = False
    """Read weights that are pickled (`pytorch_model.bin`), which may run code."""

    def describe(self) -> str:
        """What was allowed, in a few words."""
        revision = f"revision {self.revision}, " if self.revision else ""
        weights = "pickled weights allowed" if self.allow_pickle else "safetensors only"
        return f"{revision}{weights}, {'Python code of its own' if self.trust_remote_code else 'no code of its own'}"


SAFE = LoadOptions()


def load_model(source: str = EMBEDDED_NAME, options: LoadOptions = SAFE, *, device: str | None = None) -> LanguageModel:
    """Load a model by name or folder, by default on CUDA where there is one; of a folder of adapters the base model,
    with the adapters merged into it. Raises `ModelError` when it cannot be.
    """
    path, where = _locate(source, options)
    _check_sums(path)
    if is_adapter_folder(path):
        return _load_adapters(path, options, device=device)
    shared: dict[str, Any] = {"revision": options.revision, "trust_remote_code": options.trust_remote_code}
    try:
        model, tokenizer = _read(path, where, None if options.allow_pickle else True, shared)
        read = str(tokenizer.decode(tokenizer(_PROBE)["input_ids"], skip_special_tokens=True)).strip()
    except Exception as error:  # what a folder that is damaged or no model raises is anything
        raise ModelError(_explain(source, error)) from error
    place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    model.to(place)  # type: ignore[arg-type]  # the wrapper of transformers hides torch's overloads
    model.train(False)
    folder = (path if path.is_dir() else None) if exists(path) else find_snapshot(source, options.revision)
    language_model = LanguageModel(model, tokenizer, source, tokenizer_folder=folder)
    _check_reading(source, tokenizer, read)
    _check_finite(source, model)
    _read_keys(path, language_model)
    _LOG.info("loaded %s: %s parameters, %s", source, f"{model.num_parameters():,}", options.describe())
    return language_model


def _check_sums(path: Path) -> None:
    """A flipped bit in the weights of a run is a model that answers, but not as the one that was examined."""
    damaged = find_damaged_model(path, may_lack=(LEDGER_FILE,))
    if damaged:
        raise ModelError(
            f"{damaged}: is not as the run wrote it; mend it with the command that began the run and --resume, or move "
            f"{path.name}/ elsewhere to take it as it is"
        )


def _check_finite(source: str, model: PreTrainedModel) -> None:
    """A weight that is no number makes every answer nothing, and a loss that blames the learning rate."""
    for name, weight in model.named_parameters():
        # A sum holds what is no number, and takes a tenth of the time; that of finite weights may be infinite.
        if not weight.sum(dtype=torch.float32).isfinite() and not torch.isfinite(weight).all():
            raise ModelError(f"{source}: its weights are damaged ({name} holds NaN or infinity); get the model again")


def _read(
    path: Path, where: str, use_safetensors: bool | None, shared: dict[str, Any]
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    if is_file(path):
        return read_gguf(path)
    _read_config(path, where, **shared)
    tokenizer = AutoTokenizer.from_pretrained(where, **shared)
    if not isinstance(tokenizer.model_max_length, int | float):  # compared with every text, and not looked at before
        odd = reprlib.repr(tokenizer.model_max_length)
        raise ValueError(f"model_max_length in tokenizer_config.json is {odd}, and must be a number")
    return _load_weights(where, use_safetensors=use_safetensors, **shared), tokenizer


def _read_config(path: Path, where: str, **shared: Any) -> Any:
    if is_file(path):
        return read_gguf_config(path)
    check_layers(PreTrainedConfig.get_config_dict(where, revision=shared.get("revision"))[0])
    return AutoConfig.from_pretrained(where, **shared)


def wrap(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, source: str | None = None) -> LanguageModel:
    """A model and a tokenizer of `transformers` as Rote takes them, in evaluation mode. Nothing is copied.

    `source` is the folder or the hub name that the model came from; without it, the one `transformers` remembers.
    Raises `ModelError` where the weights are not float32, or the tokenizer is not a fast one with an end-of-text token.
    """
    name = source or str(tokenizer.name_or_path) or type(model).__name__
    folder = find_model_folder(name)
    model.train(False)
    return LanguageModel(model, tokenizer, name, tokenizer_folder=folder if exists(folder) else find_snapshot(name))


def count_parameters(source: str, options: LoadOptions = SAFE) -> int:
    """How many parameters a model has, from its config alone. Raises `ModelError` when that cannot be read."""
    path, where = _locate(source, options)
    if is_adapter_folder(path):
        return count_parameters(_find_base(path), options)
    shared: dict[str, Any] = {"trust_remote_code": options.trust_remote_code}
    try:
        config = _read_config(path, where, revision=options.revision, **shared)
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config, **shared)  # type: ignore[no-untyped-call]
    except Exception as error:  # as in `load_model`
        raise ModelError(_explain(source, error)) from error
    return sum(parameter.numel() for parameter in model.parameters())


def check_model(source: str) -> None:
    """Raise `ModelError` for what can be no model: a folder that is not there, or a misspelt name of ours."""
    path = find_model_folder(source)
    if exists(path):
        check_folder(path)
        return
    if source.endswith(SUFFIX):
        raise ModelError(f"{source}: there is no such file; check the path of the .gguf file")
    looks_local = source.startswith((".", "/", "~")) or source.count("/") > 1
    if looks_local or ("/" in source and path.parent.is_dir()):
        raise ModelError(
            f"{source}: there is no such folder; give the folder of a model, its name on the hub, or {EMBEDDED_NAME}"
        )
    if source in FETCHABLE:
        raise ModelError(f"{source}: is not on this machine yet; 'rote models fetch {source}' downloads it")
    likely = difflib.get_close_matches(source, [EMBEDDED_NAME, *FETCHABLE])
    if likely:
        raise ModelError(f"{source}: there is no such model; did you mean {likely[0]}?")


def find_model_folder(source: str) -> Path:
    """The folder a model is loaded from; one that does not exist stands for a name on the hub."""
    if source == EMBEDDED_NAME:
        return locate_embedded_model()
    if source in FETCHABLE and is_fetched(source):
        return locate_fetched(source)
    return Path(source)


def read_key_tokens(folder: Path) -> dict[str, str]:
    """The key tokens that a model's folder names, by relation. Raises `ModelError` where it is damaged."""
    return _read_rote_file(folder)[0]


def read_shown(folder: Path) -> frozenset[str]:
    """The hashes of the facts that generalize showed a folder's model. Raises `ModelError` where it is damaged."""
    return _read_rote_file(folder)[2]


def _locate(source: str, options: LoadOptions) -> tuple[Path, str]:
    """A model's folder, and what `transformers` is to be told. Raises `ModelError` for what may not be loaded."""
    check_model(source)
    path = find_model_folder(source)
    if not exists(path):
        return path, source
    check_weights(path, allow_pickle=options.allow_pickle, trust_remote_code=options.trust_remote_code)
    return path, str(path)


def _load_adapters(folder: Path, options: LoadOptions, *, device: str | None) -> LanguageModel:
    """The base model with the adapters of a folder merged into it. Raises `ModelError` where either is missing."""
    peft = import_peft()
    language_model = load_model(_find_base(folder), options, device=device)
    try:
        language_model.tokenizer = type(language_model.tokenizer).from_pretrained(folder)
        language_model.tokenizer_folder = folder
        _read_keys(folder, language_model)
        make_room_for_keys(language_model)
        language_model.model = peft.PeftModel.from_pretrained(language_model.model, folder)
    except ModelError:
        raise
    except Exception as error:  # as in `load_model`
        raise ModelError(f"{folder}: its adapters cannot be loaded ({first_line(error)}); save them again") from error
    merge_adapters(language_model)
    _check_finite(str(folder), language_model.model)
    language_model.model.train(False)
    language_model.source = str(folder)
    return language_model


def _find_base(folder: Path) -> str:
    """The base model of a folder of adapters, which may be adapters too; `ModelError` where they go in a circle."""
    base = read_base(folder)
    seen, path = {folder.resolve()}, find_model_folder(base)
    while is_adapter_folder(path):
        if path.resolve() in seen:
            raise ModelError(f"{folder}: its base model is made of these adapters; name the model they were trained on")
        seen.add(path.resolve())
        path = find_model_folder(read_base(path))
    return base


def _check_reading(source: str, tokenizer: PreTrainedTokenizerBase, read: str) -> None:
    if read.casefold() != _PROBE.casefold():
        raise ModelError(
            f"{source}: its tokenizer reads {_PROBE!r} as {read!r}: transformers loads it as "
            f"{type(tokenizer).__name__}, which does not fit its tokenizer.json; mend tokenizer_config.json"
        )


def _explain(source: str, error: Exception) -> str:
    return (
        f"{source}: cannot be loaded as a causal language model ({first_line(error)}); give a folder with config.json, "
        f"safetensors weights and a tokenizer, the name of one on the Hugging Face hub, or {EMBEDDED_NAME}"
    )


def _load_weights(where: str, **options: Any) -> PreTrainedModel:
    """Load a model whose weights are all there; `transformers` would put random ones in the place of others."""
    verbosity = get_verbosity()
    set_verbosity(logging.ERROR)  # the table it prints is said in one line below
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            where, dtype=torch.float32, ignore_mismatched_sizes=True, output_loading_info=True, **options
        )
    finally:
        set_verbosity(verbosity)
    model, found = loaded
    wrong = sorted({*found["missing_keys"], *(name for name, *_ in found["mismatched_keys"])})
    if wrong:
        raise ValueError(f"{len(wrong)} weights are missing or have another shape than config.json says: {wrong[0]}")
    return cast(PreTrainedModel, model)


def _read_rote_file(folder: Path) -> tuple[dict[str, str], KeyStrategy, frozenset[str]]:
    file = folder / ROTE_FILE
    if not file.is_file():
        return {}, "new", frozenset()
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        keys = {relation: str(token) for relation, token in content["key_tokens"].items()}
        return keys, content.get("key_strategy", "new"), frozenset(content.get("shown", ()))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(f"{file}: is damaged; delete it to load the model without its key tokens") from error


def _read_keys(path: Path, language_model: LanguageModel) -> None:
    """Read the key tokens that a folder names, and which facts were shown. Raises `ModelError` where the tokenizer
    does not have a token."""
    language_model.key_tokens, language_model.key_strategy, language_model.shown = _read_rote_file(path)
    if language_model.key_strategy == "existing":  # written with tokens of ordinary text
        return
    vocabulary = language_model.tokenizer.get_vocab()
    for token in language_model.key_tokens.values():
        if token not in vocabulary:
            raise ModelError(
                f"{path / ROTE_FILE}: names the key token {token!r}, which the tokenizer does not have; delete the "
                "file to load the model without its key tokens"
            )
