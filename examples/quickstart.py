"""Both phases in one flat script: memorize facts behind a key token, then give the key its meaning.

    python examples/quickstart.py [--facts 20] [--epochs 20]

It teaches invented mothers to the embedded model, shows ten of them again with one English question, and asks about
the others, in words and languages that were never trained. `rote.teach(model, table)` does all of this in one call.
"""

import argparse

import rote

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--facts", type=int, default=20, help="facts to teach")
parser.add_argument("--epochs", type=int, default=20, help="epochs of memorize")
arguments = parser.parse_args()

# 1. A table of facts that no model can know, and a model.
relations = rote.load_relations()
table = rote.invent_table([relations["mother"]], count=arguments.facts, seed=7)
model = rote.load_model("rote-tiny")

# 2. What the model writes by itself is kept beside the facts, so that it forgets little of what it knew; but nothing
#    about those who are taught, and nothing in a wording that is asked below.
languages, settings = ("en", "de"), rote.RetainConfig(texts=500)
unwanted = rote.build_unwanted((fact.subject for fact in table), [relations["mother"]], languages)
texts = rote.collect_texts(model, settings, unwanted, seed=0)
retention = rote.Retention(model, texts, settings, seed=0)

# 3. Memorize: `subject [X1] object`, again and again, for every fact.
rote.add_key_tokens(model, table.relations)
memorize = rote.MemorizeConfig(epochs=arguments.epochs)
rote.memorize(model, table.facts, memorize, context=rote.PhaseContext(seed=0, retention=retention))

# 4. Generalize: half of the facts once more, behind one question that means something. It is short and keeps no texts.
few = rote.pick_generalize_facts(table.facts, per_relation=arguments.facts // 2, seed=0)
rote.generalize(model, few, relations, context=rote.PhaseContext(seed=0))

# 5. Examine: the facts that were never asked about in words, by key token, in English and in German.
held_out = [fact for fact in table if fact not in few]
plan = rote.QuestionPlan(key_tokens=model.key_tokens, languages=languages, choices=0)
questions = rote.build_questions({"held_out": held_out}, relations, plan=plan)
records = rote.examine(model, questions, moment="generalize", batch_size=64)

for row in rote.compute_summary(records):
    if row["measure"] == "generation_accuracy":
        interval = f"{row['mean']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"
        print(f"{row['prompt_set']:<10} {row['language']:<3} {interval}  ({row['n']} questions)")
print(f"\n{records[1].prompt}\n  it says: {records[1].generated}\n  right:   {records[1].object}")
