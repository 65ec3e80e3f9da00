"""What the default retention costs: training with it beside training without."""

import rote
from benchmarks.models import build_model
from benchmarks.pairs import Row, race
from benchmarks.training import BATCH, STEPS, encode_lines, train_ours

WORK = (
    "The same updates with texts that the model wrote, 16 in a batch, held beside them, as `rote run` does on "
    "rote-tiny; theirs is Rote without them, so the ratio is what is left of its speed."
)
_TEXTS = 200


def run(name: str, pairs: int) -> list[Row]:
    """The row of `retention`."""
    model = build_model(name)
    lines = encode_lines(model, STEPS[name] * BATCH)
    settings = rote.RetainConfig(texts=_TEXTS)
    unwanted = rote.build_unwanted((fact.subject for fact in rote.load_fictional()), (), ())
    retention = rote.Retention(model, rote.collect_texts(model, settings, unwanted, seed=0), settings, seed=0)
    contenders = {
        "rote": lambda: train_ours(model, lines, retention).per_step(),
        "rote without retention": lambda: train_ours(model, lines).per_step(),
    }
    return race("retention", name, contenders, pairs)
