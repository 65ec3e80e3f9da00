"""What a model needs before it is taught."""

from typing import Any

from rote.config.run import RunConfig
from rote.models.adapters import add_adapters
from rote.models.key_tokens import add_key_tokens
from rote.models.language_model import LanguageModel


def prepare_model(language_model: LanguageModel, relations: tuple[str, ...], config: RunConfig) -> None:
    """Give a model its key tokens, and adapters and checkpointing of activations where they are asked for."""
    add_key_tokens(
        language_model,
        relations,
        pattern=config.key_token,
        seed=config.seed,
        strategy=config.key_strategy,
    )
    if config.tuning == "lora":
        add_adapters(language_model, config.lora, seed=config.seed)
    if config.gradient_checkpointing:
        model: Any = language_model.model
        model.gradient_checkpointing_enable({"use_reentrant": False})
