"""What a finished run gives to other tools: lm-eval tasks that say what our records say, and a model without keys."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from tests.pipeline.conftest import Finished, build_config
from transformers import AutoTokenizer

from rote.config.examining import SideEffectsConfig
from rote.config.teaching import LoraConfig
from rote.errors import ConfigError, ModelError, RunError
from rote.evaluation.harness import score_tasks
from rote.models.adapters import add_adapters
from rote.models.key_tokens import add_key_tokens, find_key_tables
from rote.models.loading import load_model
from rote.models.saving import save_model
from rote.pipeline.exporting import export_model, export_task, name_task
from rote.pipeline.job import build_identity, build_request
from rote.pipeline.run import run
from rote.records import Record, load_records
from rote.runs.folder import RunFolder, read_json, write_json


def evaluate(model: Path, tasks: Path, names: list[str]) -> dict[str, Any]:
    lm_eval = pytest.importorskip("lm_eval")
    from lm_eval.tasks import TaskManager

    options = {"pretrained": str(model), "dtype": "float32", "add_bos_token": True}
    found: dict[str, Any] = lm_eval.simple_evaluate(
        model="hf",
        model_args=options,
        tasks=names,
        task_manager=TaskManager(include_path=str(tasks), include_defaults=False),
        batch_size=1,
        device="cpu",
        log_samples=True,
        bootstrap_iters=0,
    )
    return found


def select(finished: Finished) -> list[Record]:
    records = load_records(finished.folder.records("generalize"))
    asked = [record for record in records if record.fact_set in ("generalize", "held_out")]
    return [record for record in asked if record.prompt_set in ("training", "held_out")]


@pytest.mark.slow
def test_lm_eval_gives_our_figures(finished: Finished, tmp_path: Path) -> None:
    names = export_task(finished.folder, tmp_path / "task")
    generation, choice = names
    found = evaluate(finished.folder.model, tmp_path / "task", names)
    records = select(finished)
    accuracy = sum(record.correct for record in records) / len(records)
    assert found["results"][generation]["generation_accuracy,none"] == pytest.approx(accuracy, abs=1e-6)
    chosen = [record for record in records if record.rank is not None]
    assert chosen
    right = sum(record.rank == 1 for record in chosen) / len(chosen)
    assert found["results"][choice]["choice_accuracy,none"] == pytest.approx(right, abs=1e-6)
    ours = {(record.subject, record.prompt): sum(record.object_logprobs) for record in chosen}
    samples = found["samples"][choice]
    assert len(samples) == len(chosen)
    for sample in samples:
        key = (sample["doc"]["subject"], sample["doc"]["context"])
        assert sample["object_loglikelihood"] == pytest.approx(ours[key], abs=1e-3)


@pytest.mark.slow
@pytest.mark.usefixtures("proved_here")
def test_a_task_of_lm_eval_is_a_ring_of_what_else_changed(finished: Finished, tmp_path: Path) -> None:
    pytest.importorskip("lm_eval")
    generation, choice = export_task(finished.folder, tmp_path / "task")
    asked = {"tasks": (generation, choice), "task_folder": str(tmp_path / "task")}
    changes = {"memorize": {"epochs": 0}, "generalize": {"facts": 2, "epochs": 0}}
    with pytest.raises(ConfigError, match="lm-eval has no task 'other'"):
        run(build_config(finished.base, side_effects={"tasks": ("other",)}), out=tmp_path / "new")
    found = run(build_config(finished.folder.model, changes, side_effects=asked), out=tmp_path / "out")
    assert found.folder is not None
    rings = {row["ring"]: row for row in read_json(found.folder.side_effects)}
    records = select(finished)
    for name, values in (
        (generation, [record.correct for record in records]),
        (choice, [record.rank == 1 for record in records if record.rank is not None]),
    ):
        row = rings[f"lm-eval: {name}"]
        assert row["n"] == len(values)
        assert row["before"] == row["after"] == pytest.approx(sum(values) / len(values), abs=1e-4)
        assert f"lm-eval: {name}" in found.folder.report.read_text(encoding="utf-8")


@pytest.mark.slow
def test_asking_a_task_changes_neither_adapters_nor_the_tokenizer(finished: Finished, tmp_path: Path) -> None:
    pytest.importorskip("lm_eval")
    pytest.importorskip("peft")
    _, choice = export_task(finished.folder, tmp_path / "task")
    language_model = load_model()  # its embeddings are tied
    add_key_tokens(language_model, ("mother",))
    add_adapters(language_model, LoraConfig(rank=1), seed=0)
    language_model.tokenizer.pad_token = None
    settings = SideEffectsConfig(tasks=(choice,), task_folder=str(tmp_path / "task"), task_limit=2)
    found = score_tasks(language_model.model, language_model.tokenizer, settings)
    assert len(found[choice]["values"]) == 2
    assert language_model.tokenizer.pad_token is None
    assert language_model.model.tie_weights.__name__ == "tie_weights"


def test_a_run_goes_on_after_its_tasks_were_asked(finished: Finished, tmp_path: Path) -> None:
    """Python compiles the functions of a task beside them."""
    export_task(finished.folder, tmp_path / "task")
    tasks = {"task_folder": str(tmp_path / "task")}
    request = build_request(build_config(finished.base, side_effects=tasks))
    identity = build_identity(request)
    (tmp_path / "task" / "__pycache__").mkdir()
    (tmp_path / "task" / "__pycache__" / "rote_task.pyc").write_bytes(b"x")
    assert build_identity(request) == identity
    (tmp_path / "task" / "generation.jsonl").write_text("{}")
    assert build_identity(request) != identity


@pytest.mark.usefixtures("proved_here")
def test_a_model_without_its_keys_has_the_vocabulary_of_its_base(finished: Finished, tmp_path: Path) -> None:
    out = tmp_path / "served"
    proof = export_model(finished.folder, out)
    assert proof["prompts"] == 8
    assert proof["max_logit_difference"] < 1e-4
    base, taught, served = (load_model(str(path)) for path in (finished.base, finished.folder.model, out))
    assert served.tokenizer.get_vocab() == base.tokenizer.get_vocab()
    assert served.model.get_input_embeddings().weight.shape == base.model.get_input_embeddings().weight.shape
    assert served.key_tokens == {}
    text = "Who is Gene Finley's mother?"
    ids = torch.tensor([AutoTokenizer.from_pretrained(out)(text)["input_ids"]])
    with torch.no_grad():
        expected = taught.model(ids).logits[..., : len(base.tokenizer)]
        assert torch.equal(served.model(ids).logits, expected)


def test_what_is_there_is_not_written_over(finished: Finished, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    for export in (export_task, export_model):
        with pytest.raises(RunError, match="is there already"):
            export(finished.folder, tmp_path / "mine")
    assert (tmp_path / "mine" / "notes.txt").read_text() == "keep"
    bare = replace(finished.folder, path=tmp_path / "bare")
    with pytest.raises(RunError, match="adapters alone"):
        export_model(bare, tmp_path / "new")


def test_a_task_has_a_name_that_lm_eval_takes() -> None:
    assert name_task("my table-rote-tiny (2)") == "rote_my_table_rote_tiny_2"


@pytest.mark.usefixtures("proved_here")
@pytest.mark.parametrize("strategy", ["reserved", "existing"])
def test_other_keys_are_taken_out_too(strategy: str, finished: Finished, tmp_path: Path) -> None:
    base = load_model(str(finished.base))
    base.model.resize_token_embeddings(len(base.tokenizer) + 4, mean_resizing=False)
    save_model(base, tmp_path / "base")
    result = run(build_config(tmp_path / "base", key_strategy=strategy), out=tmp_path / "run")
    assert result.folder is not None
    export_model(result.folder, tmp_path / "served")
    served = load_model(str(tmp_path / "served"))
    assert served.key_tokens == {}
    assert served.tokenizer.get_vocab() == base.tokenizer.get_vocab()
    before, after = (find_key_tables(model)[0] for model in (base, served))
    assert after.shape == before.shape
    assert torch.equal(after[len(base.tokenizer) :], before[len(base.tokenizer) :]), "unused rows are as they were"
    assert not torch.equal(after[: len(base.tokenizer)], before[: len(base.tokenizer)])


def test_a_pack_that_has_changed_since_the_run_is_refused(finished: Finished, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "copy")
    shutil.copytree(finished.folder.path, folder.path)
    pack = tmp_path / "mine.yaml"
    pack.write_text('relation: mine\nprompts: {en: {training: ["{subject} is"]}}\n')
    config = yaml.safe_load(folder.config.read_text())
    folder.config.write_text(yaml.safe_dump({**config, "relations": [str(pack)]}))
    write_json(folder.identity, {**read_json(folder.identity), "relations": {str(pack): "another hash"}})
    for number, export in enumerate((export_task, export_model)):
        with pytest.raises(RunError, match=r"its relation pack .*mine.yaml is not there any more, or has changed"):
            export(folder, tmp_path / f"out{number}")
        assert not (tmp_path / f"out{number}").exists()


def test_a_damaged_tokenizer_is_one_clear_line(finished: Finished, tmp_path: Path) -> None:
    """As in a run of a version that wrote no sums."""
    run_folder = RunFolder(shutil.copytree(finished.folder.path, tmp_path / "run"))
    (run_folder.model / "tokenizer.json").write_text("{", encoding="utf-8")
    with pytest.raises(ModelError, match=r"run/model: its tokenizer cannot be loaded \(.*\); mend it with the command"):
        export_task(run_folder, tmp_path / "task")
    assert not (tmp_path / "task").exists()
