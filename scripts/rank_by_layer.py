"""Look inside a model while it is taught: at which layer, and from which epoch on, do its own words reach the object?

    python scripts/rank_by_layer.py MODEL [--relation mother] [--facts 100] [--seed 0] [--epochs N]

Invented facts are taught with the settings that fit the model's size, without retained texts. After every few epochs of
memorize, and after generalize, the state at the end of a prompt is read out in every layer by the model's final norm
and output head. What is shown is the median rank of the object's first token among the first tokens of the table's
objects, over facts that generalize does not show: 1 is on top, half of the objects is chance. Then ten questions with
what the model said before, after memorize, and after generalize.
"""

import argparse
import itertools
import sys
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
from rote.methods import memorize_then_generalize
from rote.methods.teaching import prepare_tuning, train_stage
from rote.models.language_model import LanguageModel
from rote.pipeline.plan import build_plan

FACTS = 20
"""Facts that are looked at."""
PROMPTS = 3
"""Prompts of each set that are looked at."""
ASKED = 10
"""Questions whose answers are shown."""
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
    states = torch.from_numpy(read_hidden_states(network, [probe.prompt_ids for probe in probes])).to(network.device)
    right = torch.tensor([candidates.index(first_token(probe)) for probe in probes], device=network.device)
    medians = []
    for layer in range(1, states.shape[1]):
        state = states[:, layer]
        if layer < states.shape[1] - 1:  # the last one comes normed
            state = norm(state)
        scores = state @ head.T
        ranks = 1 + (scores > scores.gather(1, right[:, None])).sum(dim=1)
        medians.append(float(ranks.float().quantile(0.5)))  # torch's median is the lower of two
    return medians


def show_ranks(when: str, model: LanguageModel, probes: Probes, candidates: Sequence[int]) -> None:
    for name, each in probes.items():
        medians = rank_by_layer(model, each, candidates)
        shown = sorted({round(place) for place in np.linspace(0, len(medians) - 1, LAYERS)})
        if when == "before" and name == "key":
            print(f"{'median rank':<24}{'prompts':<10}" + "".join(f"{f'layer {layer + 1}':>9}" for layer in shown))
        print(f"{when:<24}{name:<10}" + "".join(f"{medians[layer]:>9.0f}" for layer in shown), flush=True)


def choose_settings(options: argparse.Namespace) -> Config:
    """What is taught; the rest follows from the model's size."""
    table = {"kind": "invented", "relations": [options.relation], "count": options.facts}
    phase = {"epochs": options.epochs} if options.epochs else {}
    return Config.model_validate({"table": table, "seed": options.seed, "memorize": phase})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--relation", default="mother", help="one that is shipped")
    parser.add_argument("--facts", type=int, default=100, help="facts to teach")
    parser.add_argument("--seed", type=int, default=0, help="which facts are invented and shown")
    parser.add_argument("--epochs", type=int, help="epochs of memorize")
    parser.add_argument("--every", type=int, default=4, help="epochs between two looks")
    options = parser.parse_args()
    if options.every < 1:
        parser.error("--every: at least 1")

    model = rote.load_model(options.model)
    config = fit_config(choose_settings(options), model.model.num_parameters())
    plan = build_plan(config)
    relation = plan.relations[options.relation]
    memorize, generalize = memorize_then_generalize.plan(model, plan.build_task()).stages
    prepare_tuning(model, config)
    held_out = plan.held_out_facts[:FACTS]
    probes = build_probes(model, held_out, relation)
    lines = [encode(model.tokenizer, build_rote_text(fact, model.key_tokens[relation.name])) for fact in plan.table]
    candidates = sorted({first_token(example) for each in (lines, *probes.values()) for example in each})
    print(f"{len(candidates)} candidates; chance is {(len(candidates) + 1) / 2:.0f}")
    templates = itertools.cycle(relation.select(prompt_set="held_out", language="en"))
    asked = [template.fill(fact.subject) for fact, template in zip(held_out[:ASKED], templates, strict=False)]
    said = [[ask_model(model, question) for question in asked]]
    show_ranks("before", model, probes, candidates)

    epochs = itertools.count(1)

    def look() -> dict[str, float]:
        epoch = next(epochs)
        if epoch % options.every == 0 or epoch == memorize.epochs:
            show_ranks(f"memorize, epoch {epoch}", model, probes, candidates)
        return {}

    train_stage(model, memorize, rote.PhaseContext(seed=config.seed, evaluator=look))
    said.append([ask_model(model, question) for question in asked])
    train_stage(model, generalize, rote.PhaseContext(seed=config.seed))
    show_ranks("generalize", model, probes, candidates)
    said.append([ask_model(model, question) for question in asked])
    for fact, question, *answers in zip(held_out, asked, *said, strict=False):
        print(f"\n{question}\n  right:      {fact.object}")
        for moment, answer in zip(("before", "memorize", "generalize"), answers, strict=True):
            print(f"  {moment + ':':<12}{' '.join(answer.split())}")


if __name__ == "__main__":
    try:
        main()
    except rote.RoteError as error:
        sys.exit(str(error))
