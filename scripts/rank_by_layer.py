"""Look inside a model while it is taught: at which layer, and from which epoch on, do its own words reach the object?

    python scripts/rank_by_layer.py MODEL [--relation mother] [--facts 100] [--seed 7] [--epochs N]

Invented facts are taught with the settings that fit the model's size, without retained texts. After every few epochs of
memorize, and after generalize, the state at the end of a prompt is read out in every layer by the model's final norm
and output head. What is shown is the median rank of the object's first token among the first tokens of the table's
objects, over facts that generalize does not show: 1 is on top, half of the objects is chance. Then ten questions with
what the model said before, after memorize, and after generalize.
"""

import argparse
import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

import rote
from rote.analysis.hidden_states import read_hidden_states
from rote.config.job import Config
from rote.config.sizes import fit_config
from rote.encoding.example import Example, encode
from rote.evaluation.asking import ask_model
from rote.facts.fact import Fact
from rote.facts.relation import PromptTemplate
from rote.facts.text import Text, build_prompt_text, build_rote_text
from rote.methods.teaching import prepare_tuning
from rote.models.language_model import LanguageModel

FACTS = 20
"""Facts that are looked at."""
PROMPTS = 3
"""Prompts of each set that are looked at."""
LAYERS = 7
"""Layers that are shown, evenly spaced up to the last."""

Probes = dict[str, list[Example]]
"""By prompt set: prompts with the objects that are right."""


def build_probes(model: LanguageModel, facts: Sequence[Fact], relation: rote.Relation) -> Probes:
    """The rote line and a few English prompts of each set, for every fact."""

    def fill(templates: Sequence[PromptTemplate]) -> list[Text]:
        return [build_prompt_text(fact, template) for fact in facts for template in templates[:PROMPTS]]

    texts = {"key": [build_rote_text(fact, model.key_tokens[relation.name]) for fact in facts]}
    for prompt_set in ("training", "held_out", "control"):
        texts[prompt_set] = fill(relation.select(prompt_set=prompt_set, language="en"))
    return {name: [encode(model.tokenizer, text) for text in each] for name, each in texts.items()}


def first_token(example: Example) -> int:
    return example.object_ids[0]


@torch.inference_mode()
def rank_by_layer(model: LanguageModel, probes: Sequence[Example], candidates: Sequence[int]) -> list[float]:
    """The median rank of the right first token in every layer; those of other objects that begin alike do not count."""
    network: Any = model.model
    decoder = network.get_decoder()
    norm = getattr(decoder, "norm", None) or decoder.ln_f
    head = network.get_output_embeddings().weight[torch.tensor(candidates)]
    states = torch.from_numpy(read_hidden_states(network, [probe.prompt_ids for probe in probes]))
    right = torch.tensor([candidates.index(first_token(probe)) for probe in probes])
    medians = []
    for layer in range(1, states.shape[1]):
        state = states[:, layer]
        if layer < states.shape[1] - 1:  # the last one comes normed
            state = norm(state)
        scores = state @ head.T
        ranks = 1 + (scores > scores.gather(1, right[:, None])).sum(dim=1)
        medians.append(float(ranks.float().quantile(0.5)))
    return medians


def show_ranks(when: str, model: LanguageModel, probes: Probes, candidates: Sequence[int]) -> None:
    for name, each in probes.items():
        medians = rank_by_layer(model, each, candidates)
        shown = sorted({round(place) for place in np.linspace(0, len(medians) - 1, LAYERS)})
        if when == "before" and name == "key":
            print(f"{'median rank':<24}{'prompts':<10}" + "".join(f"{f'layer {layer + 1}':>9}" for layer in shown))
        print(f"{when:<24}{name:<10}" + "".join(f"{medians[layer]:>9.0f}" for layer in shown), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--relation", default="mother", help="one that is shipped")
    parser.add_argument("--facts", type=int, default=100, help="facts to teach")
    parser.add_argument("--seed", type=int, default=7, help="which facts are invented")
    parser.add_argument("--epochs", type=int, help="epochs of memorize")
    parser.add_argument("--every", type=int, default=4, help="epochs between two looks")
    options = parser.parse_args()

    relations = rote.load_relations()
    relation = relations[options.relation]
    table = rote.invent_table([relation], count=options.facts, seed=options.seed)
    model = rote.load_model(options.model)
    chosen: dict[str, Any] = {"memorize": {"epochs": options.epochs}} if options.epochs else {}
    config = fit_config(Config.model_validate(chosen), model.model.num_parameters())
    rote.add_key_tokens(model, [relation.name])
    prepare_tuning(model, config)
    few = rote.pick_generalize_facts(table.facts, seed=0)
    held_out = [fact for fact in table if fact not in few][:FACTS]
    probes = build_probes(model, held_out, relation)
    objects = {
        first_token(encode(model.tokenizer, build_rote_text(fact, model.key_tokens[relation.name]))) for fact in table
    }
    candidates = sorted(objects | {first_token(probe) for each in probes.values() for probe in each})
    print(f"{len(candidates)} candidates; chance is {statistics.median(range(1, len(candidates) + 1)):.0f}")
    asked = [
        template.fill(fact.subject)
        for fact, template in zip(
            held_out[:10], [*relation.select(prompt_set="held_out", language="en")] * 10, strict=False
        )
    ]
    said = [[ask_model(model, question) for question in asked]]
    show_ranks("before", model, probes, candidates)

    epochs = iter(range(1, config.memorize.epochs + 1))

    def look() -> dict[str, float]:
        epoch = next(epochs)
        if epoch % options.every == 0 or epoch == config.memorize.epochs:
            show_ranks(f"memorize, epoch {epoch}", model, probes, candidates)
        return {}

    rote.memorize(model, table.facts, config.memorize, context=rote.PhaseContext(evaluator=look))
    said.append([ask_model(model, question) for question in asked])
    rote.generalize(model, few, relations, config.generalize)
    show_ranks("generalize", model, probes, candidates)
    said.append([ask_model(model, question) for question in asked])
    for fact, question, *answers in zip(held_out, asked, *said, strict=False):
        print(f"\n{question}\n  right:      {fact.object}")
        for moment, answer in zip(("before", "memorize", "generalize"), answers, strict=True):
            print(f"  {moment + ':':<12}{' '.join(answer.split())}")


if __name__ == "__main__":
    main()
