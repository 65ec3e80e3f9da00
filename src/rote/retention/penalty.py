"""How retained texts are held while a model learns: it is tied, on those texts, to what it was (`kl`), or is trained on
them as they are (`replay`), which needs no second model in memory.
"""

import copy
import random
from collections.abc import Sequence

from torch import nn

from rote.config.teaching import RetainConfig
from rote.encoding.example import collate
from rote.models.language_model import LanguageModel
from rote.training.loop import Loss, Term
from rote.training.losses import DistillationLoss, next_token_loss
from rote.training.parallel import count_processes


class Retention:
    """The retained texts of a job and the model they are held against."""

    def __init__(
        self, language_model: LanguageModel, texts: Sequence[Sequence[int]], settings: RetainConfig, *, seed: int
    ) -> None:
        """`texts` are token ids; they are learned from the second token on. For `kl` the model is copied as it is;
        one that is spread over processes is kept itself, as it is loaded again to be taught."""
        frozen = _freeze(language_model.model) if settings.loss == "kl" else None
        self._loss: Loss = DistillationLoss(frozen) if frozen else next_token_loss
        self._texts = sorted((tuple(text) for text in texts), key=len)
        self._settings = settings
        self._seed = seed

    def build_terms(self, step: int, *, micro_batch_size: int = 0) -> list[Term]:
        """The texts that stand beside the facts of one step, a function of the step alone; so many in memory at once.

        They are neighbours by length, so that little of a batch is padding.
        """
        count = len(self._texts)
        first = random.Random(f"retain/{self._seed}/{step}").randrange(count)
        chosen = [self._texts[(first + offset) % count] for offset in range(min(self._settings.batch_size, count))]
        size = micro_batch_size or len(chosen)
        parts = [chosen[start : start + size] for start in range(0, len(chosen), size)]
        batches = [collate([(ids, ids) for ids in part], pad_id=0) for part in parts]
        targets = sum(batch.target_count for batch in batches)
        return [Term(batch, self._loss, self._settings.weight / targets) for batch in batches]


def _freeze(model: nn.Module) -> nn.Module:
    return model if count_processes() > 1 else copy.deepcopy(model)


def build_retention(
    language_model: LanguageModel, texts: Sequence[Sequence[int]], settings: RetainConfig, *, seed: int
) -> Retention | None:
    """What holds the texts in place while training; None where nothing is retained."""
    return Retention(language_model, texts, settings, seed=seed) if texts and settings.weight else None
