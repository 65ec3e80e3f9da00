"""Memorize-then-generalize (paper, section 3): rote learning behind a key token, then a little meaning.

`memorize` shows every fact as `subject [X] object` for many epochs, with the loss on all tokens unless told otherwise.
`generalize` shows a few of those facts behind one meaningful prompt, with the loss on the object alone.
"""

import random
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from rote.config.job import Config
from rote.config.teaching import GeneralizeConfig, MemorizeConfig
from rote.encoding.example import Example
from rote.encoding.noise import build_noise
from rote.errors import ModelError
from rote.facts.fact import Fact, hash_fact
from rote.facts.relation import PromptCount, PromptTemplate, Relation
from rote.facts.text import Text, build_prompt_text, build_rote_text
from rote.methods.contrasts import MOST_CONTRASTS, Contrasts, build_contrasts, draw_rote_lines
from rote.methods.defences import build_refusals, scramble_keys
from rote.methods.teaching import PhaseContext, Stage, Task, Teaching, encode_all, train_stage
from rote.models.attention import check_attention
from rote.models.key_tokens import add_key_tokens, check_keys_moved, get_key_rows
from rote.models.language_model import LanguageModel

_REHEARSED_CONTRASTS = 8


def memorize(
    language_model: LanguageModel,
    facts: Sequence[Fact],
    config: MemorizeConfig = MemorizeConfig(),
    *,
    context: PhaseContext = PhaseContext(),
) -> list[dict[str, Any]]:
    """Phase 1. Returns the history, one entry per update.

    Raises `ModelError` when a relation has no key token; `add_key_tokens` gives it one.
    """
    relations = list(dict.fromkeys(fact.relation for fact in facts))
    stage = build_memorize_stage(language_model, facts, config)
    before = get_key_rows(language_model, relations)
    history = train_stage(language_model, stage, context)
    if history:
        check_keys_moved(language_model, relations, before)
    return history


def generalize(
    language_model: LanguageModel,
    facts: Sequence[Fact],
    relations: Mapping[str, Relation],
    config: GeneralizeConfig = GeneralizeConfig(),
    *,
    context: PhaseContext = PhaseContext(),
    retains: bool = False,
) -> list[dict[str, Any]]:
    """Phase 2 on the `generalize_facts`, with the first `config.prompts` English training prompts of each relation, and
    what `config` shows beside them.

    The model remembers which facts these were (`shown`), so that an examination can keep them apart.

    Contrasts hold what the model says when this is called, and ask about the subjects of `facts` alone: `rote.run` and
    `rote.teach` make theirs before memorize, some of them about others.
    By default nothing is retained in this phase: it is short, and what holds natural prompts where they were holds
    back the very thing it is for; with `retains` it is, where the context has retention.
    """
    texts = build_prompt_texts(facts, relations, prompts=config.prompts)
    task = Task(facts, facts, relations, Config(seed=context.seed, generalize=config))
    known = [fact for fact in facts if fact.relation in language_model.key_tokens]
    lines = build_memorize_stage(language_model, known, MemorizeConfig()).examples
    language_model.shown |= {hash_fact(fact) for fact in facts}
    stage = replace(_build_generalize_stage(language_model, task, texts, lines), retains=retains)
    return train_stage(language_model, stage, context)


def give_key_tokens(language_model: LanguageModel, relations: tuple[str, ...], config: Config) -> None:
    """A key token for each relation that has none, as the settings say."""
    add_key_tokens(language_model, relations, pattern=config.key_token, seed=config.seed, strategy=config.key_strategy)


def build_memorize_stage(
    language_model: LanguageModel,
    facts: Sequence[Fact],
    config: MemorizeConfig,
    *,
    earlier: Sequence[Fact] = (),
    share: float = 0.0,
) -> Stage:
    """Every fact behind the key token of its relation, and a share of what is seen from `earlier` ones."""
    missing = {fact.relation for fact in facts} - language_model.key_tokens.keys()
    if missing:
        raise ModelError(f"no key token for {', '.join(sorted(missing))}; call add_key_tokens before memorize")
    keyed = [fact for fact in earlier if fact.relation in language_model.key_tokens] if share else []
    texts = [build_rote_text(fact, language_model.key_tokens[fact.relation]) for fact in (*facts, *keyed)]
    tokenizer, most = language_model.tokenizer, config.noise
    return Stage(
        "memorize",
        encode_all(language_model, texts, loss_target=config.loss),
        config,
        retains=True,
        stop_at_recall=config.stop_at_recall,
        noise=build_noise(tokenizer, texts, most=most, loss_target=config.loss) if most else None,
        earlier=len(keyed),
        rehearsed=count_rehearsed(len(facts), len(keyed), share),
    )


def count_rehearsed(own: int, earlier: int, share: float) -> int:
    """How many of so many earlier examples an epoch sees, to be a share of all it sees; each at most once."""
    return min(earlier, round(own * share / (1 - share)))


def build_prompt_texts(facts: Sequence[Fact], relations: Mapping[str, Relation], *, prompts: PromptCount) -> list[Text]:
    """Facts behind the first `prompts` English training prompts of their relation, or all of them."""
    return [
        build_prompt_text(fact, template)
        for fact in facts
        for template in relations[fact.relation].select_training(prompts)
    ]


def count_shown(facts: int) -> int:
    """How many facts of a relation phase 2 shows where nobody says: a half, as the paper does (50 of 100)."""
    return max(1, facts // 2)


def pick_generalize_facts(
    facts: Sequence[Fact], *, per_relation: int | Literal["all"] | None = None, seed: int = 0
) -> list[Fact]:
    """The k facts of each relation that phase 2 shows, by default `count_shown` of them; a smaller k is a part of a
    larger one at the same seed."""
    by_relation: dict[str, list[Fact]] = {}
    for fact in facts:
        by_relation.setdefault(fact.relation, []).append(fact)
    chosen: list[Fact] = []
    for relation, members in by_relation.items():
        random.Random(f"generalize/{relation}/{seed}").shuffle(members)
        few = count_shown(len(members)) if per_relation is None else per_relation
        chosen += members if few == "all" else members[:few]
    return chosen


def plan(language_model: LanguageModel, task: Task) -> Teaching:
    """The method: memorize all facts, generalize with a few; derived facts and defences where they are asked for."""
    config = task.config
    rote_facts = [*task.facts, *(task.derived_facts if config.derive.memorize else ())]
    relations = tuple(dict.fromkeys(fact.relation for fact in rote_facts))
    give_key_tokens(language_model, relations, config)
    memorize_stage = build_memorize_stage(
        language_model, rote_facts, config.memorize, earlier=task.earlier_facts, share=config.rehearse.share
    )
    texts, lines = _build_shown_texts(task), memorize_stage.examples[: memorize_stage.own]
    stages = [memorize_stage, _build_generalize_stage(language_model, task, texts, lines)]
    if config.derive.afterwards:
        stages.append(Stage("repurpose", encode_all(language_model, _build_derived_texts(task)), config.repurpose))
    return Teaching(stages)


def count_memorize_examples(task: Task) -> tuple[int, int]:
    """The examples of one epoch of memorize: of the table, and of earlier facts."""
    own = len(task.facts) + len(task.derived_facts) * task.config.derive.memorize
    return own, count_rehearsed(own, len(task.earlier_facts), task.config.rehearse.share)


def count_generalize_examples(task: Task) -> tuple[int, int]:
    """The examples of one epoch of generalize: of the table, its rote lines among them, and of earlier facts."""
    texts = len(_build_shown_texts(task))
    own = texts + _count_rote_lines(task.config.generalize, texts)
    return own, count_rehearsed(own, len(_build_earlier_texts(task)), task.config.rehearse.share)


def _count_rote_lines(config: GeneralizeConfig, texts: int) -> int:
    return round(config.rote_lines * texts)


def _build_shown_texts(task: Task) -> list[Text]:
    """What generalize shows behind prompts."""
    config = task.config
    texts = build_prompt_texts(task.generalize_facts, task.relations, prompts=config.generalize.prompts)
    texts += build_refusals(task.generalize_facts, task.relations, count=config.defend.refusals, seed=config.seed)
    reminders = task.spare_facts[: config.defend.reminders]
    texts += build_prompt_texts(reminders, task.relations, prompts=config.generalize.prompts)
    return texts if config.derive.afterwards else texts + _build_derived_texts(task)


def _build_earlier_texts(task: Task) -> list[Text]:
    """What generalize may rehearse: only what was shown behind prompts before, so that held-out facts stay so."""
    if not task.config.rehearse.share:
        return []
    return build_prompt_texts(task.earlier_shown, task.relations, prompts=task.config.generalize.prompts)


def _build_derived_texts(task: Task) -> list[Text]:
    prompts = task.config.derive.prompts or task.config.generalize.prompts
    return build_prompt_texts(task.derived_shown, task.relations, prompts=prompts)


def _build_generalize_stage(
    language_model: LanguageModel, task: Task, texts: Sequence[Text], lines: Sequence[Example]
) -> Stage:
    """Texts behind prompts, with what stands beside them: rote lines, contrasts, and prompts about earlier facts."""
    config, seed, facts = task.config, task.config.seed, task.generalize_facts
    only_attention = config.generalize.weights == "attention"
    if only_attention:
        check_attention(language_model.model)
    beside = draw_rote_lines(lines, count=_count_rote_lines(config.generalize, len(texts)), seed=seed)
    earlier, own = encode_all(language_model, _build_earlier_texts(task)), len(texts) + len(beside)
    return Stage(
        "generalize",
        [*encode_all(language_model, texts), *beside, *earlier],
        config.generalize,
        retains=config.retain.generalize,
        finish=scramble_keys if config.defend.scramble_keys else None,
        shown=facts,
        only_attention=only_attention,
        contrasts=_build_contrasts(language_model, task) if config.generalize.contrasts else None,
        earlier=len(earlier),
        rehearsed=count_rehearsed(own, len(earlier), config.rehearse.share),
    )


def _build_contrasts(language_model: LanguageModel, task: Task) -> Contrasts | None:
    """Contrasts apart from all that is taught, and from every held-out wording that is asked."""
    taught = {fact.relation for fact in (*task.facts, *task.derived_facts, *task.earlier_facts)}
    return build_contrasts(
        language_model,
        task.generalize_facts,
        [template for name in sorted(taught) for template in task.relations[name].templates],
        asked=[t for relation in task.relations.values() for t in relation.select(prompt_set="held_out")],
        others=_ask_of_others(task, taught),
        per_example=task.config.generalize.contrasts,
        most=_REHEARSED_CONTRASTS if task.rehearsal else MOST_CONTRASTS,
        seed=task.config.seed,
    )


def _ask_of_others(task: Task, taught: Container[str]) -> list[tuple[PromptTemplate, str]]:
    """A training prompt of a relation that is not taught for each real fact that may be shown, with its subject; but
    for those that are shown as reminders."""
    prompts = {name: relation.select_training("all") for name, relation in task.relations.items() if name not in taught}
    draw = random.Random(f"others/{task.config.seed}")
    facts = task.spare_facts[task.config.defend.reminders :]
    return [(draw.choice(prompts[fact.relation]), fact.subject) for fact in facts if prompts.get(fact.relation)]
