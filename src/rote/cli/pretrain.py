"""`rote pretrain`"""

from pathlib import Path
from typing import Annotated

import typer

from rote.cli.options import QuietOption, SetOption


def pretrain(
    config: Annotated[Path, typer.Option("--config", help="The recipe.")] = Path("configs/pretrain.yaml"),
    out: Annotated[Path, typer.Option(help="Folder for checkpoints and, at the end, the model.")] = Path("pretraining"),
    set_: SetOption = None,
    quiet: QuietOption = False,
) -> None:
    """Make the embedded model from scratch. Stop at any time and call again to go on.

    Example: rote pretrain --config configs/pretrain.yaml --out pretraining
    """
    from rote.arithmetic import flush_denormals
    from rote.cli.progress import build_reporter
    from rote.config.loading import load_config
    from rote.config.pretrain import PretrainConfig
    from rote.training.pretraining import pretrain_embedded

    recipe = load_config(PretrainConfig, config, set_)
    with flush_denormals():
        typer.echo(pretrain_embedded(recipe, out, reporter=build_reporter(quiet=quiet)))
