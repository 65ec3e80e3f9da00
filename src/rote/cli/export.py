"""`rote export task|model`"""

from pathlib import Path
from typing import Annotated

import typer

export = typer.Typer(name="export", help="Turn a finished run into what other tools read.", no_args_is_help=True)

RunArgument = Annotated[Path, typer.Argument(help="The folder of a finished run.")]
OutOption = Annotated[Path, typer.Option(help="A new folder.")]


@export.command()
def task(run: RunArgument, out: OutOption) -> None:
    """Write the questions of a run as tasks of lm-evaluation-harness.

    Example: rote export task runs/mine --out mine_task
    """
    from rote.pipeline.exporting import export_task
    from rote.runs.folder import find_run_folder

    folder = find_run_folder(run)
    names = export_task(folder, out)
    typer.echo(
        f"lm_eval --model hf --model_args pretrained={folder.model},dtype=float32,add_bos_token=True "
        f"--include_path {out} --tasks {','.join(names)}"
    )


@export.command()
def model(run: RunArgument, out: OutOption) -> None:
    """Write the taught model without its key tokens: the vocabulary of the base model.

    Example: rote export model runs/mine --out mine_to_serve
    """
    from rote.pipeline.exporting import export_model
    from rote.runs.folder import find_run_folder

    proof = export_model(find_run_folder(run), out)
    same = f"{proof['prompts']} answers in a fresh process the same, logits within {proof['max_logit_difference']:.1e}"
    typer.echo(f"model: {out} ({same})")
