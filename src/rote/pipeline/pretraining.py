"""Making the embedded model and putting it into a folder as it is shipped."""

from pathlib import Path

from rote.config.pretrain import PretrainConfig
from rote.models.embedded import write_checksums
from rote.models.older_readers import suit_older_readers
from rote.pipeline.reporting import Reporter
from rote.runs.files import replace_folder
from rote.training.pretraining import pretrain


def pretrain_embedded(config: PretrainConfig, out: Path, *, reporter: Reporter) -> Path:
    """Pretrain by a recipe, resuming what `out` holds; returns the folder of the finished model, in bfloat16."""
    with reporter.step("pretrain") as advance:
        model, tokenizer = pretrain(
            config, out, on_progress=lambda done, total, loss: advance(done, total, f"loss {loss:.3f}")
        )
    with replace_folder(out / "model") as target:
        model.bfloat16().save_pretrained(target)
        tokenizer.save_pretrained(target)
        suit_older_readers(target)
        write_checksums(target)
    return out / "model"
