"""How retained texts are held while a model learns: it is tied, on those texts, to what it was (`kl`), or is trained on
them as they are (`replay`).
"""

import random
from collections.abc import Sequence

from rote.config.teaching import RetainConfig
from rote.encoding.example import collate
from rote.models.language_model import LanguageModel
from rote.retention.teacher import Teacher
from rote.training.loop import Term
from rote.training.losses import next_token_loss


class Retention:
    """The retained texts of a job, and for `kl` the untrained model they are held against."""

    def __init__(
        self, language_model: LanguageModel, texts: Sequence[Sequence[int]], settings: RetainConfig, *, seed: int
    ) -> None:
        """`texts` are token ids; they are learned from the second token on."""
        self._texts = sorted((tuple(text) for text in texts), key=len)
        self._teacher = Teacher(language_model.model, self._texts) if settings.loss == "kl" else None
        self._settings = settings
        self._seed = seed

    def build_terms(self, step: int, *, micro_batch_size: int = 0) -> list[Term]:
        """The texts that stand beside the facts of one step, a function of the step alone; so many in memory at once.

        They are neighbours by length, so that little of a batch is padding.
        """
        count = len(self._texts)
        first = random.Random(f"retain/{self._seed}/{step}").randrange(count)
        chosen = [(first + offset) % count for offset in range(min(self._settings.batch_size, count))]
        size = micro_batch_size or len(chosen)
        parts = [chosen[start : start + size] for start in range(0, len(chosen), size)]
        batches = [collate([(self._texts[index], self._label(index)) for index in part], pad_id=0) for part in parts]
        targets = sum(batch.target_count for batch in batches)
        loss = next_token_loss
        if self._teacher:
            self._teacher.read()
            loss = self._teacher.diverge
        return [Term(batch, loss, self._settings.weight / targets) for batch in batches]

    def _label(self, index: int) -> Sequence[int]:
        return self._teacher.label(index) if self._teacher else self._texts[index]


def build_retention(
    language_model: LanguageModel, texts: Sequence[Sequence[int]], settings: RetainConfig, *, seed: int
) -> Retention | None:
    """What holds the texts in place while training; None where nothing is retained."""
    return Retention(language_model, texts, settings, seed=seed) if texts and settings.weight else None
