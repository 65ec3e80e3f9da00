"""Two processes that share a model do a whole run as one process does it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from tests.pipeline.conftest import CONFIG, build_base_model

from rote.encoding.example import IGNORE, collate
from rote.models.loading import load_model
from rote.models.saving import save_model
from rote.models.verification import take_fingerprint
from rote.records import Record, load_records
from rote.training import parallel

ROOT = Path(__file__).parents[2]
CHANGES: dict[str, Any] = {
    # At a high learning rate an update of AdamW makes rounding as large as what is learned. It does so at any rate
    # where the gradient is nothing but rounding: of the divergence from the teacher at first, in the words of the
    # retained texts. Rote lines have none of these words, and natural prompts do.
    "memorize": {"epochs": 30, "learning_rate": 3e-4},
    "generalize": {"learning_rate": 5e-5},
    "retain": {"texts": 6, "weight": 0.03, "generalize": True},
    "examine": {"languages": ["en"], "known_facts": None, "unseen_facts": 1, "choices": 4},
    "knowledge": {"samples": 2, "tokens": 4},
    "defend": {"scramble_keys": True},
}
CLOSE = {"memorize": 1e-5, "generalize": 2e-3}
CHILD = """
import runpy
from rote.models import language_model
language_model.has_fast_bf16 = lambda _: False  # in bfloat16 the losses depend on how rows are batched
runpy.run_module("rote", run_name="__main__")
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny model, and the configuration of a run that has something of everything."""
    folder = tmp_path_factory.mktemp("base")
    save_model(build_base_model(), folder / "model")
    (folder / "passages.txt").write_text("Rome is a city.\nParis is a large city in France.\n", encoding="utf-8")
    content: dict[str, Any] = {key: dict(value) for key, value in CONFIG.items()}
    for key, value in {**CHANGES, "side_effects": {"text": str(folder / "passages.txt")}}.items():
        content[key] = {**content.get(key, {}), **value} if isinstance(value, dict) else value
    content["table"]["relations"] = list(content["table"]["relations"])
    (folder / "config.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return folder


def start(base: Path, out: Path, *more: str, processes: int) -> subprocess.Popen[str]:
    out.parent.mkdir(exist_ok=True)
    script = out.parent / "child.py"
    script.write_text(CHILD, encoding="utf-8")
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    given = ["--model", str(base / "model"), "--config", str(base / "config.yaml"), "--out", str(out), *more]
    command = [sys.executable, *(launch if processes > 1 else ()), str(script), "run", *given]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=environment, start_new_session=True, **pipes)


def finish(begun: subprocess.Popen[str]) -> str:
    """What it printed. These runs teach too little for a good verdict, which is exit code 3; torchrun makes 1 of it."""
    out, err = begun.communicate(timeout=400)
    expected = 1 if "torch.distributed.run" in str(begun.args) else 3
    assert begun.returncode == expected, err[-4000:]
    return out


def stop_in_training(begun: subprocess.Popen[str], store: Path) -> None:
    """Kill all processes once a checkpoint is there."""
    until = time.monotonic() + 200
    while not list(store.glob("stages/*/checkpoints/step-*")) and begun.poll() is None:
        assert time.monotonic() < until
        time.sleep(0.01)
    os.killpg(begun.pid, signal.SIGKILL)
    begun.communicate()


def read_losses(out: Path) -> dict[str, list[float]]:
    return {
        stage: [entry["loss"] for entry in json.loads((out / stage / "history.json").read_text())]
        for stage in ("memorize", "generalize")
    }


def read_records(out: Path) -> list[Record]:
    return [
        record
        for moment in ("before", "memorize", "generalize")
        for record in load_records(out / f"records/{moment}.parquet")
    ]


def read_rows(out: Path, name: str) -> Any:
    return json.loads((out / name).read_text(encoding="utf-8"))


def assert_same(out: Path, alone: Path) -> None:
    for stage, losses in read_losses(alone).items():
        assert read_losses(out)[stage] == pytest.approx(losses, abs=CLOSE[stage]), stage
    found, expected = read_records(out), read_records(alone)
    assert [(one.prompt, one.generated, one.correct) for one in found] == [
        (one.prompt, one.generated, one.correct) for one in expected
    ]
    assert [row["mean"] for row in read_rows(out, "summary.json")] == pytest.approx(
        [row["mean"] for row in read_rows(alone, "summary.json")], abs=1e-4
    )
    assert read_rows(out, "retained.json") == read_rows(alone, "retained.json")
    assert read_rows(out, "knowledge.json") == read_rows(alone, "knowledge.json")
    loaded, other = (load_model(str(folder / "model")) for folder in (out, alone))
    said, wanted = (take_fingerprint(model, [record.prompt for record in expected]) for model in (loaded, other))
    assert said.answers == wanted.answers
    assert torch.allclose(said.logits, wanted.logits, atol=1e-2)
    assert loaded.shown == other.shown
    assert loaded.key_tokens == other.key_tokens


@pytest.mark.slow
def test_two_processes_do_a_run_as_one_does_and_go_on_where_they_were_killed(base: Path, tmp_path: Path) -> None:
    alone, together = tmp_path / "alone" / "run", tmp_path / "together" / "run"
    said = finish(start(base, alone, processes=1))
    often = ("--set", "checkpoint_seconds=1e-9")
    stop_in_training(start(base, together, *often, processes=2), together.parent / "store")
    both = finish(start(base, together, *often, "--resume", processes=2))
    assert_same(together, alone)
    assert both.count("generation accuracy") == said.count("generation accuracy") == 1, "only the first process speaks"
    assert list_files(together) == list_files(alone)


def list_files(folder: Path) -> list[Path]:
    return sorted(path.relative_to(folder) for path in folder.rglob("*"))


def test_a_process_alone_shares_nothing() -> None:
    batch = collate([([1, 2, 3], [1, 2, 3]), ([4, 5], [4, 5])], pad_id=0)
    assert parallel.count_processes() == 1
    assert parallel.is_first_process()
    assert parallel.take_share(batch) is batch
    weight = torch.nn.Linear(2, 2).weight
    assert parallel.gather(weight) is weight
    assert parallel.collect([("weight", weight)])["weight"] is weight
    assert parallel.by_first(lambda: weight) is weight


@pytest.mark.parametrize(("rows", "expected"), [(5, [[1, 3], [0, 2, 4]]), (1, [[0], [0]])])
def test_shares_are_the_batch_between_them(
    rows: int, expected: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = collate([([index, 7], [index, 7]) for index in range(rows)], pad_id=0)
    monkeypatch.setattr(parallel, "count_processes", lambda: 2)
    found = []
    for rank in (1, 0):
        monkeypatch.setattr("torch.distributed.get_rank", lambda rank=rank: rank)
        share = parallel.take_share(batch)
        found.append(share.input_ids[:, 0].tolist())
        if rank == 1 and rows == 1:
            assert (share.labels == IGNORE).all(), "computed with the others, and counts for nothing"
    assert found == expected
