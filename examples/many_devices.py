"""Both phases on several GPUs, or several CPU processes, for a model whose training one does not hold (FSDP2).

    torchrun --nproc-per-node 2 examples/many_devices.py --model MODEL --table facts.csv --out taught

One process after another loads the model on the CPU and keeps a share of the weights; it will hold the same share of
their gradients and of the optimizer's state. The losses are those of one process. What is written is a plain model
folder: `rote examine` and every other tool read it. Started again, it goes on from the last checkpoint; the processes
of several machines need one folder for them. Nothing is retained of what the model knew (`rote run` does that).
"""

import argparse
import hashlib
import json
from pathlib import Path

import rote
from rote.config.sizes import fit_settings
from rote.methods.teaching import PhaseContext
from rote.models.loading import count_parameters, find_model_folder
from rote.pipeline.plan import build_run_plan
from rote.runs.manifest import compute_model_hash
from rote.training.loop import Checkpointing
from rote.training.parallel import collect, is_first_process, join_processes, leave_processes, load_spread, wait_for_all

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--model", default="rote-tiny", help="folder or hub name of a causal LM")
parser.add_argument("--table", type=Path, help="facts to teach; the 500 fictional ones by default")
parser.add_argument("--epochs", type=int, default=20, help="epochs of memorize")
parser.add_argument("--out", type=Path, required=True, help="folder of the taught model")
arguments = parser.parse_args()


def load() -> rote.LanguageModel:
    """The model with its key tokens, whole, on the CPU."""
    model = rote.load_model(arguments.model, device="cpu")
    rote.add_key_tokens(model, table.relations)
    return model


def keep(phase: str) -> PhaseContext:
    """Where a phase is saved as it goes: a place of its own for every table, model and length."""
    what = f"{table.content_hash} {compute_model_hash(arguments.model, find_model_folder(arguments.model))} {memorize}"
    name = f"{arguments.out.name}-{hashlib.sha256(what.encode()).hexdigest()[:8]}-{phase}"
    return PhaseContext(checkpointing=Checkpointing(arguments.out.with_name(name), every_seconds=1800))


table = rote.load_table(arguments.table) if arguments.table else rote.load_fictional()
settings = rote.RunConfig.model_validate(fit_settings(count_parameters(arguments.model)))
plan = build_run_plan(table, settings)
memorize = settings.memorize.model_copy(update={"epochs": arguments.epochs})

join_processes()
model = load_spread(load)
history = rote.memorize(model, table.facts, memorize, context=keep("memorize"))
history += rote.generalize(
    model, plan.generalize_facts, plan.relations, settings.generalize, context=keep("generalize")
)

state = collect(model.model.state_dict().items())
if is_first_process():
    taught = load()
    taught.model.load_state_dict(state)
    taught.shown = model.shown  # so that an examination can tell which facts generalize showed
    rote.save_model(taught, arguments.out)
    losses = [entry["loss"] for entry in history]
    (arguments.out / "losses.json").write_text(json.dumps(losses))
    print(f"{len(losses)} updates, last loss {losses[-1]:.4f}; model: {arguments.out}")
wait_for_all()
leave_processes()
