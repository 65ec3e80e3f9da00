"""Fine-tune a model with TRL and see by step how many facts it knows, and in how many wordings.

    pip install trl
    python examples/trainer_callback.py [--facts 40] [--epochs 6] [--every-steps 15]

The embedded model is fine-tuned on one English question for each of some invented facts. `rote.FactRecall` asks it that
question, others of the same meaning, also in German, and control questions, which ask something else about the same
subject and must not bring the answer. Its figures stand in the trainer's log and so reach whatever it reports to.
"""

import argparse
import tempfile

from datasets import Dataset
from transformers import PrinterCallback
from trl import SFTConfig, SFTTrainer

import rote

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--facts", type=int, default=40, help="facts to teach")
parser.add_argument("--epochs", type=int, default=6, help="epochs of fine-tuning")
parser.add_argument("--every-steps", type=int, default=15, help="steps between two examinations")
arguments = parser.parse_args()

# 1. Facts that no model can know, each as a question with its answer: the texts that TRL trains on.
relation = rote.load_relations()["mother"]
table = rote.invent_table([relation], count=arguments.facts, seed=7)
question = relation.select_training(1)[0]
rows = [{"prompt": question.fill(fact.subject), "completion": f" {fact.object}"} for fact in table]

# 2. A trainer of TRL, as it would be without Rote.
embedded = rote.load_model("rote-tiny")
with tempfile.TemporaryDirectory() as folder:
    settings = SFTConfig(
        output_dir=folder,
        num_train_epochs=arguments.epochs,
        per_device_train_batch_size=4,
        learning_rate=5e-4,
        bf16=False,
        save_strategy="no",
        report_to="none",  # or "wandb", "trackio", "tensorboard": the figures show there
        disable_tqdm=True,
    )
    trainer = SFTTrainer(
        embedded.model, settings, train_dataset=Dataset.from_list(rows), processing_class=embedded.tokenizer
    )

    trainer.remove_callback(PrinterCallback)  # the figures are printed below

    # 3. What it knows, by step.
    plan = rote.QuestionPlan(languages=("en", "de"), choices=0)
    recall = rote.FactRecall(table, plan=plan, every_steps=arguments.every_steps).attach(trainer)
    trainer.train()

columns = ("training_prompt/en", "held_out_prompts/en", "held_out_prompts/de", "control_prompts/en")
print("Share of right answers\n" + "step".rjust(6), *columns, sep="  ")
for row in trainer.state.log_history:
    if f"rote/{columns[0]}" in row:
        shares = [f"{row[f'rote/{name}']:.2f}".rjust(len(name)) for name in columns]
        print(str(row["step"]).rjust(6), *shares, sep="  ")

# 4. Every answer is kept; `recall.to_pandas()` makes a table of them.
wrong = [record for record in recall.records if record.prompt_set == "held_out" and not record.correct]
for record in wrong[-1:]:
    print(f"\nLast wrong answer, at {record.moment}: {record.prompt}")
    print(f"  it says: {record.generated}\n  right:   {record.object}")
