"""The model of a run is written, and proved: a fresh process has to answer as the run's own did."""

from pathlib import Path
from typing import Any

import torch

from rote.facts.sampling import sample_facts
from rote.facts.text import build_prompt_text, build_rote_text
from rote.models.adapters import merge_adapters
from rote.models.language_model import LanguageModel
from rote.models.loading import LoadOptions
from rote.models.saving import save_adapters, save_model
from rote.models.verification import take_fingerprint, verify_folder
from rote.pipeline.job import Job
from rote.pipeline.plan import Plan
from rote.runs.folder import RunFolder
from rote.training.parallel import by_first

_VERIFIED_FACTS = 50
"""Facts that are asked again of what was saved."""


def save_proved(job: Job, folder: RunFolder, loading: LoadOptions) -> dict[str, Any]:
    """Write the model and prove that a fresh process answers as it did when it was examined."""
    work, config = job.work, job.work.config
    language_model = work.language_model
    prompts = _build_proof_prompts(work.plan, language_model)
    with work.step("save the model"):
        expected = take_fingerprint(language_model, prompts)
        whole = job.collect_model()
        written = by_first(lambda: _write_model(whole, folder, config.keep, adapted=job.has_adapters))
    with work.step("load it in a fresh process"):
        language_model.model.to("cpu")  # type: ignore[arg-type]  # leaves the device to the other process
        torch.cuda.empty_cache()
        return by_first(lambda: {path.name: verify_folder(path, prompts, expected, loading) for path in written})


def _write_model(language_model: LanguageModel, folder: RunFolder, keep: str, *, adapted: bool) -> list[Path]:
    """What is to be kept of the model, its adapters merged in the end; returns where it lies."""
    written = []
    keep = keep if adapted else "merged"  # a method that trains nothing has no adapters
    if keep != "merged":
        save_adapters(language_model, folder.adapter)
        written.append(folder.adapter)
    if adapted:
        merge_adapters(language_model)
    if keep != "adapter":
        save_model(language_model, folder.model)
        written.append(folder.model)
    return written


def _build_proof_prompts(plan: Plan, language_model: LanguageModel) -> list[str]:
    """Half of the facts by key token, where they have one, half by their first training prompt."""
    facts, keys = (
        sample_facts(plan.table.facts, count=_VERIFIED_FACTS, seed=plan.config.seed),
        language_model.key_tokens,
    )
    return [
        build_rote_text(fact, keys[fact.relation]).prompt
        if index % 2 and fact.relation in keys
        else build_prompt_text(fact, plan.relations[fact.relation].select_training(1)[0]).prompt
        for index, fact in enumerate(facts)
    ]
