"""What a saved folder holds for those who serve it: the base's tokenizer files, and names that older readers know."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.models.conftest import build_llama, build_tokenizer
from tokenizers import AddedToken
from transformers import AutoModelForCausalLM, AutoTokenizer, Gemma3TextConfig, GPTNeoXConfig

from rote.errors import ModelError, RunError
from rote.models.embedded import FOLDER
from rote.models.key_tokens import add_key_tokens, find_key_tables
from rote.models.language_model import LanguageModel
from rote.models.loading import load_model, wrap
from rote.models.saving import export_model, save_model

OLDER = "4.57.6"
PROMPTS = ["Gene Finley [X1]", "Who is Cody Ross's mother?", "妈妈是谁？", "Port Varda [X2] Mei"]
TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "tokenizer.model", "special_tokens_map.json")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A folder as people publish them: written by version 4, with a sentencepiece file beside it."""
    tokenizer = build_tokenizer()
    folder = tmp_path / "base"
    build_llama(tokenizer).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    kept = {key: value for key, value in config.items() if key not in ("backend", "is_local", "local_files_only")}
    kept |= {"tokenizer_class": "PreTrainedTokenizerFast", "add_prefix_space": True, "legacy": False}
    (folder / "tokenizer_config.json").write_text(json.dumps(kept, indent=4))
    (folder / "tokenizer.model").write_bytes(b"\x0a\x0e\x0a\x05<unk>")
    (folder / "special_tokens_map.json").write_text('{"eos_token":   "<|endoftext|>"}')
    return folder


def read_files(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in TOKENIZER if (folder / name).exists()}


def teach_nothing(_: LanguageModel) -> None:
    pass


def write_existing_keys(language_model: LanguageModel) -> None:
    add_key_tokens(language_model, ("mother",), strategy="existing")


def pad_a_batch(language_model: LanguageModel) -> None:
    language_model.tokenizer(["Gene Finley", "Mei"], padding=True, truncation=True, max_length=9)


@pytest.mark.parametrize("change", [teach_nothing, write_existing_keys, pad_a_batch])
def test_a_tokenizer_without_key_tokens_is_the_very_files_of_the_base(
    change: Callable[[LanguageModel], None], base: Path, tmp_path: Path
) -> None:
    language_model = load_model(str(base))
    change(language_model)
    save_model(language_model, tmp_path / "taught")
    assert read_files(tmp_path / "taught") == read_files(base)
    save_model(load_model(str(tmp_path / "taught")), tmp_path / "again")
    assert read_files(tmp_path / "again") == read_files(base)


def test_a_wrapped_model_keeps_the_files_too_unless_its_tokenizer_was_changed(base: Path, tmp_path: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(base)
    save_model(wrap(model, tokenizer), tmp_path / "same")
    assert read_files(tmp_path / "same") == read_files(base)
    tokenizer.add_tokens(["[mine]"])
    save_model(wrap(model, tokenizer), tmp_path / "other")
    assert "tokenizer.model" not in read_files(tmp_path / "other")
    assert "[mine]" in AutoTokenizer.from_pretrained(tmp_path / "other").get_vocab()


def test_a_model_of_the_hub_keeps_the_files_of_its_snapshot(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "hub" / "models--some--model"
    shutil.copytree(base, place / "snapshots" / ("a" * 40))
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text("a" * 40)
    for home in ("huggingface_hub.constants", "huggingface_hub.file_download.constants"):
        monkeypatch.setattr(f"{home}.HF_HUB_CACHE", str(tmp_path / "hub"))
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    wrapped = wrap(model, AutoTokenizer.from_pretrained(base), source="some/model")
    save_model(wrapped, tmp_path / "taught")
    assert read_files(tmp_path / "taught") == read_files(base)


def test_an_exported_model_has_the_vocabulary_and_the_tokenizer_files_of_its_base(base: Path, tmp_path: Path) -> None:
    taught = load_model(str(base))
    add_key_tokens(taught, ("mother", "capital"))
    save_model(taught, tmp_path / "taught")
    assert read_files(tmp_path / "taught").keys() == {"tokenizer.json", "tokenizer_config.json"}
    proof = export_model(tmp_path / "taught", tmp_path / "out", PROMPTS[1:3], base=str(base))
    assert proof["prompts"] == 2
    assert proof["max_logit_difference"] < 1e-4
    assert read_files(tmp_path / "out") == read_files(base)
    served = load_model(str(tmp_path / "out"))
    assert served.key_tokens == {}
    assert find_key_tables(served)[0].shape == find_key_tables(load_model(str(base)))[0].shape
    with pytest.raises(RunError, match="is there already"):
        export_model(tmp_path / "taught", tmp_path / "out", PROMPTS, base=str(base))


def test_an_export_that_a_fresh_process_answers_otherwise_is_taken_away(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_model(load_model(str(base)), tmp_path / "taught")
    monkeypatch.setattr("rote.models.verification._TOLERANCE", -1.0)
    with pytest.raises(ModelError, match="what was saved is not what was measured"):
        export_model(tmp_path / "taught", tmp_path / "out", PROMPTS, base=str(base))
    assert not (tmp_path / "out").exists()


def test_no_file_of_a_tokenizer_names_what_only_version_5_has(tmp_path: Path) -> None:
    language_model = load_model()
    language_model.tokenizer.add_special_tokens({"extra_special_tokens": ["<|end|>"]})
    add_key_tokens(language_model, ("mother",))
    save_model(language_model, tmp_path / "model")
    config = json.loads((tmp_path / "model" / "tokenizer_config.json").read_text())
    assert config["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert config["additional_special_tokens"] == ["<|end|>"]
    assert not config.keys() & {"backend", "is_local", "local_files_only", "extra_special_tokens"}
    again = AutoTokenizer.from_pretrained(tmp_path / "model")
    assert again.extra_special_tokens == ["<|end|>"]
    assert again("Gene Finley [X1]")["input_ids"] == language_model.tokenizer("Gene Finley [X1]")["input_ids"]


ROTARY: dict[str, dict[str, Any]] = {
    "plain": {"rope_theta": 1234.0},
    "stretched": {"rope_theta": 1234.0, "rope_type": "linear", "factor": 4.0},
    "llama3": {
        "rope_theta": 1234.0,
        "rope_type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 16,
    },
}


def save_models(place: Path) -> dict[str, LanguageModel]:
    """A model of each kind that version 5 describes in other words than version 4."""
    tokenizer = build_tokenizer()
    sizes: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
    }
    heads: dict[str, Any] = {"num_attention_heads": 2, "initializer_range": 0.3, "bos_token_id": 0, "eos_token_id": 1}
    neox = GPTNeoXConfig(**sizes, **heads, rope_parameters={"rope_theta": 99.0, "partial_rotary_factor": 0.5})
    layers = {"full_attention": {**ROTARY["stretched"]}, "sliding_attention": {"rope_theta": 99.0}}
    gemma = Gemma3TextConfig(
        **sizes,
        **heads,
        head_dim=16,
        num_key_value_heads=1,
        sliding_window=4,
        layer_types=["sliding_attention", "full_attention"],
        rope_parameters={key: {"rope_type": "default", **value} for key, value in layers.items()},
    )
    found = {name: build_llama(tokenizer, rope_parameters=dict(values)) for name, values in ROTARY.items()}
    found |= {name: AutoModelForCausalLM.from_config(config) for name, config in (("neox", neox), ("gemma", gemma))}
    models = {name: wrap(model, build_tokenizer(), source=name) for name, model in found.items()}
    models["tiny"] = load_model()
    for name, language_model in models.items():
        language_model.tokenizer.add_special_tokens({"extra_special_tokens": [AddedToken("<|end|>", special=True)]})
        add_key_tokens(language_model, ("mother", "capital"))
        save_model(language_model, place / name)
    return models


@pytest.fixture(scope="session")
def older_packages(request: pytest.FixtureRequest) -> Path:
    """A folder with version 4 of `transformers` and what it needs beside the packages of this environment."""
    folder = Path(request.config.cache.mkdir(f"transformers-{OLDER}"))
    wanted = [f"transformers=={OLDER}", "tokenizers==0.22.*", "huggingface_hub==0.36.*", "requests"]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), *wanted]
    if not (folder / "complete").exists():
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"pip cannot fetch transformers {OLDER}: {done.stderr.strip().splitlines()[-1]}")
        (folder / "complete").touch()
    return folder


@pytest.mark.slow
def test_version_4_of_transformers_loads_what_was_saved_and_says_the_same(older_packages: Path, tmp_path: Path) -> None:
    models = save_models(tmp_path)
    asked = [[str(tmp_path / name) for name in models] + [str(FOLDER)], PROMPTS]
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("reading.py"))],
        input=json.dumps(asked),
        env={"PYTHONPATH": str(older_packages), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    version, answers = json.loads(done.stdout.splitlines()[-1])
    assert version == OLDER
    models_by_folder = {str(tmp_path / name): model for name, model in models.items()} | {str(FOLDER): load_model()}
    for folder, language_model in models_by_folder.items():
        for prompt, answer in zip(PROMPTS, answers[folder], strict=True):
            ids = torch.tensor([language_model.tokenizer(prompt)["input_ids"]])
            with torch.no_grad():
                expected = language_model.model(ids).logits[0, -1]
            said = language_model.model.generate(  # type: ignore[operator]
                ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=12
            )[0]
            assert torch.allclose(torch.tensor(answer["logits"]), expected, atol=1e-3), (folder, prompt)
            assert answer["ids"] == said.tolist(), (folder, prompt)
            assert answer["text"] == language_model.tokenizer.decode(said), (folder, prompt)
