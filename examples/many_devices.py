"""Both phases on several GPUs, or several CPU processes, for a model whose training one does not hold (FSDP2).

    torchrun --nproc-per-node 2 examples/many_devices.py --model rote-tiny --out taught

Every process loads the whole model, gives it its key tokens and then keeps a share of the weights, of their gradients
and of the optimizer's state. The losses are those of one process. What is written is a plain model folder.
"""

import argparse
import json
from pathlib import Path

import rote
from rote.training.parallel import gather, is_first_process, join_processes, leave_processes, shard, wait_for_all

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--model", default="rote-tiny", help="folder or hub name of a causal LM")
parser.add_argument("--facts", type=int, default=20, help="invented facts to teach")
parser.add_argument("--epochs", type=int, default=20, help="epochs of memorize")
parser.add_argument("--out", type=Path, required=True, help="folder of the taught model")
arguments = parser.parse_args()

join_processes()
relations = rote.load_relations()
table = rote.invent_table([relations["mother"]], count=arguments.facts, seed=7)
model = rote.load_model(arguments.model)
rote.add_key_tokens(model, table.relations)
shard(model.model)

few = rote.pick_generalize_facts(table.facts, per_relation=arguments.facts // 2, seed=0)
history = rote.memorize(model, table.facts, rote.MemorizeConfig(epochs=arguments.epochs))
history += rote.generalize(model, few, relations)

state = {name: gather(value.detach()).cpu() for name, value in model.model.state_dict().items()}
if is_first_process():
    taught = rote.load_model(arguments.model)
    rote.add_key_tokens(taught, table.relations)
    taught.model.load_state_dict(state)
    rote.save_model(taught, arguments.out)
    losses = [entry["loss"] for entry in history]
    (arguments.out / "losses.json").write_text(json.dumps(losses))
    print(f"{len(losses)} updates, last loss {losses[-1]:.4f}; model: {arguments.out}")
wait_for_all()
leave_processes()
