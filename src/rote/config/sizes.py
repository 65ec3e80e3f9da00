"""Settings that fit a model's size, for what a person leaves open.

Up to 100 M parameters they are those that were found on the embedded model (dev/LOG.md), which are the defaults of
`Config`, with steps enough for a small table. Between that and 1 B they were found on two real models
(docs/real_models.md). From 1 B on they are those of the paper's code: learning rates of 1e-5 to 2e-6, falling with
size, 5 warm-up steps, batches of 4 to 1.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from rote.config.audit import AuditConfig
from rote.config.job import Config
from rote.config.loading import merge_settings, read_preset


class _Size(NamedTuple):
    """Settings of models with fewer than so many parameters."""

    below: float
    learning_rate: float
    batch_size: int


_SIZES = (
    _Size(4e9, 1e-5, 4),
    _Size(10e9, 5e-6, 2),
    _Size(float("inf"), 2e-6, 1),
)
_OURS = 100e6
_SMALLER = 200e6
_REAL = 1e9
_PAPER_WARMUP = 5
_PHASES = ("memorize", "generalize", "fine_tune", "repurpose")


def has_rates_of_its_own(parameters: int) -> bool:
    """Whether a model so large is taught at other learning rates than the embedded one."""
    return parameters >= _OURS


def fit_settings(parameters: int) -> dict[str, Any]:
    """What differs from `Config()` for a model with so many parameters, as plain data."""
    if not has_rates_of_its_own(parameters):
        return {"memorize": {"min_steps": 100}, "generalize": {"min_steps": 24}}
    if parameters < _REAL:
        return _fit_small(parameters)
    size = next(size for size in _SIZES if parameters < size.below)
    phase = {"learning_rate": size.learning_rate, "batch_size": size.batch_size, "warmup_steps": _PAPER_WARMUP}
    return {**{name: dict(phase) for name in _PHASES}, "retain": {"batch_size": size.batch_size}}


def fill_in(said: Mapping[str, Any], parameters: int) -> dict[str, Any]:
    """Settings, as plain data, with what fits a model with so many parameters in the place of what was left open. Where
    a phase's epochs are said, they are not raised to a least number of steps that nobody asked for."""
    fitted = fit_settings(parameters)
    for name in _PHASES:
        phase = said.get(name)
        if isinstance(phase, Mapping) and "epochs" in phase:
            fitted.get(name, {}).pop("min_steps", None)
    return merge_settings(fitted, said)


def fill_in_updates(said: Mapping[str, Any], parameters: int) -> dict[str, Any]:
    """As `fill_in`, for a table of corrections: what was left open is that of the preset `update`. Such a table may be
    small, so its phases have the least number of steps all the same; and the texts beside a step follow the size, as a
    model of 135 M takes most of its time for them."""
    preset, fitted = read_preset("update"), fit_settings(parameters)
    for name in _PHASES:
        if name in preset and "epochs" not in said.get(name, {}):
            preset[name]["min_steps"] = fitted.get(name, {}).get("min_steps", 0)
    if "batch_size" in fitted.get("retain", {}):  # the preset has twice as many texts beside a step as the default
        preset["retain"]["batch_size"] = 2 * fitted["retain"]["batch_size"]
    return fill_in(merge_settings(preset, said), parameters)


def fit_config(config: Config, parameters: int) -> Config:
    """The configuration for a model with so many parameters: what was left open becomes what fits its size."""
    return Config.model_validate(fill_in(config.model_dump(exclude_unset=True), parameters))


def fit_audit(config: AuditConfig, parameters: int) -> AuditConfig:
    """An audit that shows its examples at a rate that a model with so many parameters bears, unless it says one. At
    that of the embedded model a real one unlearns what it is asked, and looks as if nothing carried over."""
    rate = fit_settings(parameters).get("repurpose", {}).get("learning_rate")
    fitted = {"repurpose": {"learning_rate": rate}} if rate else {}
    return AuditConfig.model_validate(merge_settings(fitted, config.model_dump(exclude_unset=True)))


def _fit_small(parameters: int) -> dict[str, Any]:
    """Embeddings stay as they are, the bare line is seen among noise with the loss on the object, and generalize is
    gentle, changes the attention layers alone and shows every training prompt beside contrasts (docs/real_models.md
    says how well each was measured). The smaller model takes larger and more updates to learn what it is shown."""
    is_smaller = parameters < _SMALLER
    phases: dict[str, dict[str, Any]] = {
        name: {"learning_rate": 1e-4 if is_smaller else 5e-5, "batch_size": 8, "warmup_steps": _PAPER_WARMUP}
        for name in _PHASES
    }
    for name in ("memorize", "fine_tune"):
        phases[name]["min_steps"] = 240 if is_smaller else 100
    phases["memorize"] |= {"loss": "object_only", "noise": 6}
    phases["generalize"] |= {
        "weights": "attention",
        "learning_rate": 1e-4 if is_smaller else 5e-5,
        "epochs": 2,
        "min_steps": 100 if is_smaller else 0,
        "prompts": "all",
        "contrasts": 1.0,
        "rote_lines": 0.25,
        "batch_size": 12,
    }
    phases["repurpose"]["learning_rate"] = 3.9e-5 if is_smaller else 2.1e-5  # beyond that one example spoils the rest
    return {**phases, "tuning": "layers", "retain": {"texts": 200, "batch_size": 4}}
