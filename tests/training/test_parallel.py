"""Two processes that share a model train it as one process does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from rote.encoding.example import IGNORE, collate
from rote.models.loading import load_model
from rote.training import parallel

ROOT = Path(__file__).parents[2]
CHILD = """
import json, sys
from pathlib import Path
import torch
from safetensors.torch import save_file
from tests.models.conftest import build_language_model
from rote.config.teaching import GeneralizeConfig, MemorizeConfig
from rote.facts.invent import invent_table
from rote.facts.relation import load_shipped_relations
from rote.methods.memorize_then_generalize import generalize, memorize
from rote.methods.teaching import PhaseContext
from rote.models import precision
from rote.models.key_tokens import add_key_tokens
from rote.training.loop import Checkpointing
from rote.training.parallel import collect, is_first_process, join_processes, leave_processes, load_spread
from rote.retention.penalty import Retention

precision.has_fast_bf16 = lambda _: False  # in bfloat16 the losses depend on how rows are batched
out, last = Path(sys.argv[1]), int(sys.argv[2])

def stop(done, total, loss):
    if done == last:
        raise SystemExit  # after the checkpoint of the update before

join_processes()
relations = load_shipped_relations()
table = invent_table([relations["mother"]], count=7, seed=3)
retention = Retention(
    build_language_model(tie_word_embeddings=True).model, [[1, 5, 9, 4], [1, 7, 8]], batch_size=2, weight=0.5, seed=0
)

def load():
    model = build_language_model(tie_word_embeddings=True)
    add_key_tokens(model, table.relations)
    return model

model = load_spread(load)
checkpointing = Checkpointing(out / "checkpoints", every_seconds=1e-9)
context = PhaseContext(retention=retention, checkpointing=checkpointing, on_progress=stop)
settings = MemorizeConfig(epochs=3, batch_size=3, learning_rate=1e-3)
history = memorize(model, table.facts, settings, context=context)
history += generalize(model, table.facts[:3], relations, GeneralizeConfig(epochs=2, batch_size=2, learning_rate=1e-3))
state = collect(model.model.state_dict().items())
if is_first_process():
    (out / "losses.json").write_text(json.dumps([entry["loss"] for entry in history]))
    save_file({name: value.clone() for name, value in state.items()}, out / "model.safetensors")
leave_processes()
"""


def start(out: Path, *, processes: int, last: int = 0) -> None:
    """Train, up to the update `last` of memorize where it is not 0."""
    out.mkdir(exist_ok=True)
    script = out / "child.py"
    script.write_text(CHILD, encoding="utf-8")
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    command = [sys.executable, *(launch if processes > 1 else ()), str(script), str(out), str(last)]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


def train(out: Path, *, processes: int) -> tuple[list[float], dict[str, torch.Tensor]]:
    start(out, processes=processes)
    return json.loads((out / "losses.json").read_text()), load_file(out / "model.safetensors")


@pytest.mark.slow
def test_two_processes_train_as_one_does_and_go_on_where_they_stood(tmp_path: Path) -> None:
    alone, weights = train(tmp_path / "alone", processes=1)
    together, other = train(tmp_path / "together", processes=2)
    assert together == pytest.approx(alone, abs=1e-5)
    assert weights.keys() == other.keys()
    for name, value in weights.items():
        assert torch.allclose(other[name], value, atol=1e-4), name
    start(tmp_path / "stopped", processes=2, last=5)  # of 9 updates
    assert [path.name for path in (tmp_path / "stopped" / "checkpoints").iterdir()] == ["step-00000004"]
    again, _ = train(tmp_path / "stopped", processes=2)
    assert again == pytest.approx(alone, abs=1e-5)


@pytest.mark.slow
def test_the_example_writes_a_model_that_can_be_examined(tmp_path: Path) -> None:
    facts = tmp_path / "facts.csv"
    facts.write_text(
        "subject,relation,object\nGene Finley,mother,Cody Ross\nAda Berg,mother,Una Falk\n", encoding="utf-8"
    )
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    options = ["--table", str(facts), "--epochs", "1", "--out", str(tmp_path / "taught")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *launch, str(ROOT / "examples" / "many_devices.py"), *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    taught, base = load_model(str(tmp_path / "taught")), load_model()
    assert list(taught.key_tokens) == ["mother"]
    assert len(taught.shown) == 1, "half of the table"
    before, after = (next(model.model.parameters()) for model in (base, taught))
    assert not torch.equal(before, after[: len(before)])


def test_a_process_alone_shares_nothing() -> None:
    batch = collate([([1, 2, 3], [1, 2, 3]), ([4, 5], [4, 5])], pad_id=0)
    assert parallel.count_processes() == 1
    assert parallel.is_first_process()
    assert parallel.take_share(batch) is batch
    weight = torch.nn.Linear(2, 2).weight
    assert parallel.gather(weight) is weight
    assert parallel.collect([("weight", weight)])["weight"] is weight
    assert parallel.agree(True)
    assert not parallel.agree(False)


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
