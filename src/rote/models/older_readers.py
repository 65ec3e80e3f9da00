"""What programs that read models with version 4 of `transformers` need to find in a folder that version 5 wrote.

Version 4 knows no class `TokenizersBackend`, sets itself what version 5 leaves to tokenizer.json, and has rotary
embeddings as by default where config.json gives them as `rope_parameters` alone.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

_Config = dict[str, Any]
_NOTES = ("backend", "is_local", "local_files_only")
"""What version 5 notes for itself in tokenizer_config.json."""
_SHORT_SCALINGS = {"linear": ("factor",), "dynamic": ("factor",), "longrope": ("short_factor", "long_factor")}
"""Scalings that are older than the name `rope_type`: some classes accept `type` and these fields alone."""
_NAMES = {
    "gpt_neox": ("rotary_emb_base", "rotary_pct"),
    "gpt_neox_japanese": ("rotary_emb_base", "rotary_pct"),
}
_LAYERS = ("full_attention", "sliding_attention")


def suit_older_readers(folder: Path) -> None:
    """Mend config.json and tokenizer_config.json where version 4 would refuse or misread them.

    Version 5 reads them as before. A file that version 4 reads right stays as it is, byte for byte.
    """
    _rewrite(folder / "config.json", _suit_config)
    _rewrite(folder / "tokenizer_config.json", lambda config: _suit_tokenizer(config, folder / "tokenizer.json"))


def _rewrite(file: Path, change: Callable[[_Config], _Config]) -> None:
    if not file.is_file():
        return
    config = json.loads(file.read_text(encoding="utf-8"))
    changed = change(config)
    if changed != config:
        file.write_text(json.dumps(changed, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def _suit_tokenizer(config: _Config, file: Path) -> _Config:
    """Name the class that reads tokenizer.json as it is, and say what that class would set of its own."""
    extra, name = config.get("extra_special_tokens"), str(config.get("tokenizer_class", ""))
    if "backend" not in config and not name.endswith("Backend") and not isinstance(extra, list):
        return config
    kept = {key: value for key, value in config.items() if key not in (*_NOTES, "extra_special_tokens")}
    if extra:
        kept["additional_special_tokens" if isinstance(extra, list) else "extra_special_tokens"] = extra
    spaced = (json.loads(file.read_text(encoding="utf-8")).get("pre_tokenizer") or {}).get("add_prefix_space")
    return {
        "model_input_names": ["input_ids", "attention_mask"],
        **kept,
        **({} if spaced is None else {"add_prefix_space": spaced}),
        "tokenizer_class": "PreTrainedTokenizerFast",
    }


def _suit_config(config: _Config) -> _Config:
    """The config, and those inside it, with the names that version 4 has for what version 5 renamed."""
    inner = {key: _suit_config(value) for key, value in config.items() if isinstance(value, dict)}
    experts = {"num_experts": config["num_local_experts"]} if "num_local_experts" in config else {}
    return {**config, **inner, **experts, **_translate_rotary(config)}


def _translate_rotary(config: _Config) -> _Config:
    found = config.get("rope_parameters") or {}
    if found.keys().isdisjoint(_LAYERS):
        theta, part = _NAMES.get(config.get("model_type", ""), ("rope_theta", "partial_rotary_factor"))
        fields = {theta: found.get("rope_theta"), part: found.get("partial_rotary_factor")}
        fields["rope_scaling"] = _find_scaling(found, _SHORT_SCALINGS.get(found.get("rope_type", "")))
    else:  # each kind of layer has its own
        full, sliding = (found.get(layers) or {} for layers in _LAYERS)
        fields = {"rope_theta": full.get("rope_theta"), "rope_local_base_freq": sliding.get("rope_theta")}
        fields["rope_scaling"] = _find_scaling(full)
    return {key: value for key, value in fields.items() if value is not None}


def _find_scaling(found: _Config, short: tuple[str, ...] | None = None) -> _Config | None:
    """How positions are stretched; under the name `type` and with so many fields alone where `short` names them."""
    if found.get("rope_type", "default") == "default":
        return None
    if short:
        return {"type": found["rope_type"], **{name: found[name] for name in short}}
    return {key: value for key, value in found.items() if key not in ("rope_theta", "partial_rotary_factor")}
