"""Saving a model so that plain transformers loads it, and refusing what is no model."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.models.conftest import build_language_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from rote.errors import ModelError
from rote.evaluation.asking import ask_model
from rote.models.key_tokens import add_key_tokens
from rote.models.language_model import LanguageModel
from rote.models.loading import count_parameters, load_model, wrap
from rote.models.saving import save_model

PROMPTS = ("Gene Finley [X1]", "Who is Cody Ross's mother?", "妈妈是谁？", "Port Varda [X2] Mei")
KINDS: dict[str, dict[str, Any]] = {"untied": {}, "tied": {"tie_word_embeddings": True}, "padded": {"vocab_size": 1024}}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    language_model = build_language_model()
    add_key_tokens(language_model, ("mother", "capital"))
    folder = tmp_path_factory.mktemp("saved") / "model"
    save_model(language_model, folder)
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_plain_transformers_loads_what_was_saved_and_says_the_same(kind: str, tmp_path: Path) -> None:
    language_model = build_language_model(**KINDS[kind])
    add_key_tokens(language_model, ("mother", "capital"))
    save_model(language_model, tmp_path / "model")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "model", dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    again = load_model(str(tmp_path / "model"))
    said = set()
    for prompt in PROMPTS:
        ids = language_model.tokenizer(prompt)["input_ids"]
        assert tokenizer(prompt)["input_ids"] == again.tokenizer(prompt)["input_ids"] == ids
        inputs = torch.tensor([ids])
        texts, logits = [], []
        for candidate in (language_model.model, model, again.model):
            with torch.no_grad():
                logits.append(candidate(inputs).logits)
            mask = torch.ones_like(inputs)
            out = candidate.generate(inputs, attention_mask=mask, do_sample=False, max_new_tokens=12)  # type: ignore[operator]
            texts.append(tokenizer.decode(out[0]))
        assert torch.equal(logits[0], logits[1])
        assert torch.equal(logits[0], logits[2])
        assert len(set(texts)) == 1
        said.add(texts[0][len(prompt) :])
    assert len(said) == len(PROMPTS)
    assert again.key_tokens == {"mother": "[X1]", "capital": "[X2]"}
    assert not again.model.training
    assert {parameter.dtype for parameter in again.model.parameters()} == {torch.float32}


def test_saving_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "old.bin").write_bytes(b"old")
    (tmp_path / "model.draft").mkdir()
    (tmp_path / "model.draft" / "half").write_bytes(b"half")
    save_model(build_language_model(), tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    names = {path.name for path in (tmp_path / "model").iterdir()}
    assert {"model.safetensors", "config.json", "tokenizer.json", "rote.json"} <= names
    assert not names & {"old.bin", "half"}
    assert not [name for name in names if name.endswith((".bin", ".pt", ".pkl"))]


def test_weights_in_half_precision_are_loaded_in_full(tmp_path: Path) -> None:
    language_model = build_language_model()
    language_model.model.bfloat16()
    save_model(language_model, tmp_path / "model")
    assert {parameter.dtype for parameter in load_model(str(tmp_path / "model")).model.parameters()} == {torch.float32}


def test_a_model_without_key_tokens_is_any_model(saved: Path, tmp_path: Path) -> None:
    shutil.copytree(saved, tmp_path / "model")
    (tmp_path / "model" / "rote.json").unlink()
    assert load_model(str(tmp_path / "model")).key_tokens == {}


def cut(name: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])

    return damage


def write(name: str, content: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        (folder / name).write_bytes(content.encode("latin-1"))

    return damage


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def configure(name: str = "config.json", **changes: Any) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        content = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps({**content, **changes}))

    return damage


DAMAGES = {
    "no config": (remove("config.json"), "is not a model folder"),
    "no weights": (remove("model.safetensors"), "cannot be loaded"),
    "no tokenizer": (remove("tokenizer.json"), "cannot be loaded"),
    "half of the weights": (cut("model.safetensors"), "cannot be loaded"),
    "empty weights": (write("model.safetensors", ""), "cannot be loaded"),
    "pickled weights": (write("model.safetensors", "\x80\x04\x95\x00"), "cannot be loaded"),
    "half of the config": (cut("config.json"), "cannot be loaded"),
    "a config that is a list": (write("config.json", "[]"), "cannot be loaded"),
    "half of the tokenizer": (cut("tokenizer.json"), "cannot be loaded"),
    "a tokenizer that is a list": (write("tokenizer.json", "[]"), "cannot be loaded"),
    "a model of another kind": (configure(model_type="vit", architectures=None), "cannot be loaded"),
    "an unknown model": (configure(model_type="mystery"), "cannot be loaded"),
    "more layers than weights": (configure(num_hidden_layers=3), "9 weights are missing.*model.layers.2.input_layer"),
    "another width": (configure(hidden_size=16), "weights are missing or have another shape"),
    "a setting of another type": (configure(num_hidden_layers="two"), "cannot be loaded"),
    "half of rote.json": (cut("rote.json"), "rote.json: is damaged; delete it"),
    "rote.json in another encoding": (write("rote.json", "\xff\xfe"), "rote.json: is damaged; delete it"),
    "rote.json without keys": (write("rote.json", "{}"), "rote.json: is damaged; delete it"),
    "rote.json that is a list": (write("rote.json", "[1]"), "rote.json: is damaged; delete it"),
    "rote.json with other keys": (write("rote.json", '{"key_tokens": {"mother": "[X9]"}}'), "names the key token"),
}


def point_outside(name: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        (folder / "model.safetensors").rename(folder.parent / "other.safetensors")
        names = json.loads((folder / "config.json").read_text())
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": dict.fromkeys(names, name)}))

    return damage


DAMAGES |= {
    "weights above its folder": (point_outside("../other.safetensors"), "names weights outside .*'../other.safetens"),
    "weights anywhere": (point_outside("/other.safetensors"), r"names weights outside the model's folder \('/other"),
    "an index that is a list": (write("model.safetensors.index.json", "[]"), "index.json: is damaged .*get the model"),
    "layers without measure": (configure(num_hidden_layers=10**6), "num_hidden_layers is 1,000,000 in its config, and"),
    "layers beyond all": (configure(text_config={"n_layer": 10**15}), "n_layer is 1,000,000,000,000,000 in its config"),
    "a config nested without measure": (write("config.json", "[" * 20_000), "cannot be loaded"),
    "rote.json nested without measure": (write("rote.json", "[" * 20_000), "rote.json: is damaged; delete it"),
    "a length that is no number": (configure("tokenizer_config.json", model_max_length=[]), "cannot be loaded as"),
    "keys of another type": (write("rote.json", '{"key_tokens": {"mother": []}}'), "names the key token"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_model_is_one_clear_line(
    name: str, saved: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    damage, message = DAMAGES[name]
    shutil.copytree(saved, tmp_path / "model")
    damage(tmp_path / "model")
    capfd.readouterr()
    begin = time.process_time()
    with pytest.raises(ModelError, match=message) as caught:
        load_model(str(tmp_path / "model"))
    assert time.process_time() - begin < 5
    assert str(tmp_path / "model") in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "LOAD REPORT" not in "".join(capfd.readouterr())


def test_parameters_of_layers_without_measure_are_not_counted(saved: Path, tmp_path: Path) -> None:
    shutil.copytree(saved, tmp_path / "model")
    configure(num_hidden_layers=10**6)(tmp_path / "model")
    with pytest.raises(ModelError, match="no model has so many, or allow more"):
        count_parameters(str(tmp_path / "model"))


def test_a_file_and_an_empty_folder_are_no_models(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"")
    with pytest.raises(ModelError, match=r"weights\.bin: is a file; --model takes the folder of a model"):
        load_model(str(tmp_path / "weights.bin"))
    with pytest.raises(ModelError, match=r"is not a model folder \(it has no config\.json\)"):
        load_model(str(tmp_path))


def test_a_folder_that_is_not_there_is_not_looked_for_anywhere_else(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"missing: there is no such folder; give the folder of a model"):
        load_model(str(tmp_path / "missing"))


def test_a_slow_tokenizer_is_refused(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    language_model = build_language_model()
    monkeypatch.setattr(type(language_model.tokenizer), "is_fast", False)
    for give in (lambda: load_model(str(saved)), lambda: wrap(language_model.model, language_model.tokenizer)):
        with pytest.raises(ModelError, match=r"needs a fast tokenizer \(tokenizer\.json\)"):
            give()


@pytest.mark.parametrize(
    ("file", "key", "value", "message"),
    [
        ("tokenizer_config.json", "model_max_length", [], r"model_max_length in tokenizer_config\.json is \[\]"),
        ("generation_config.json", "eos_token_id", 1.0, r"eos_token_id in generation_config\.json holds 1\.0"),
    ],
)
def test_settings_of_another_kind_are_named(
    file: str, key: str, value: object, message: str, saved: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(saved, tmp_path / "odd")
    content = json.loads((folder / file).read_text(encoding="utf-8"))
    (folder / file).write_text(json.dumps({**content, key: value}), encoding="utf-8")
    with pytest.raises(ModelError, match=message):
        ask_model(load_model(str(folder)), "Who is it?")


def test_a_model_without_an_end_of_text_is_refused(saved: Path, tmp_path: Path) -> None:
    shutil.copytree(saved, tmp_path / "model")
    file = tmp_path / "model" / "tokenizer_config.json"
    config = json.loads(file.read_text())
    file.write_text(json.dumps({key: value for key, value in config.items() if key != "eos_token"}))
    with pytest.raises(ModelError, match="has no end-of-text token; set eos_token"):
        load_model(str(tmp_path / "model"))
    with pytest.raises(ModelError, match="has no end-of-text token"):
        wrap(build_language_model().model, AutoTokenizer.from_pretrained(tmp_path / "model"))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_weights_in_half_precision_are_not_trained_silently(dtype: torch.dtype) -> None:
    language_model = build_language_model()
    language_model.model.to(dtype)  # type: ignore[arg-type]
    name = str(dtype).removeprefix("torch.")
    with pytest.raises(ModelError, match=rf"mine: has weights in {name}, .* model\.float\(\)") as caught:
        wrap(language_model.model, language_model.tokenizer, source="mine")
    assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match=name):
        LanguageModel(language_model.model, language_model.tokenizer, "mine")


def test_a_model_of_transformers_is_taught_as_it_is(saved: Path, tmp_path: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(saved, dtype=torch.float32).train()
    tokenizer = AutoTokenizer.from_pretrained(saved)
    wrapped = wrap(model, tokenizer)
    assert (wrapped.model, wrapped.tokenizer, wrapped.source) == (model, tokenizer, str(saved))
    assert not model.training
    assert wrapped.key_tokens == {}
    add_key_tokens(wrapped, ("genre",), pattern="[G{number}]")
    assert tokenizer.convert_tokens_to_ids("[G1]") < model.get_input_embeddings().weight.shape[0]
    save_model(wrapped, tmp_path / "model")
    assert load_model(str(tmp_path / "model")).key_tokens == {"genre": "[G1]"}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_named(value: float, tmp_path: Path) -> None:
    language_model = build_language_model()
    next(language_model.model.parameters()).data[0, 0] = value
    save_model(language_model, tmp_path / "model")
    with pytest.raises(ModelError, match=r"its weights are damaged \(.*embed.* holds NaN or infinity\)"):
        load_model(str(tmp_path / "model"))
