"""`rote export task|model|gguf|inspect|lm-eval`"""

from pathlib import Path
from typing import Annotated

import typer

from rote.cli.options import QuietOption

export = typer.Typer(name="export", help="Turn a finished run into what other tools read.", no_args_is_help=True)

RunArgument = Annotated[Path, typer.Argument(help="The folder of a finished run.")]
OutOption = Annotated[Path, typer.Option(help="A new folder.")]


@export.command()
def task(run: RunArgument, out: OutOption) -> None:
    """Write the questions of a run as tasks of lm-evaluation-harness.

    Example: rote export task runs/mine --out mine_task
    """
    from rote.pipeline.exporting import export_task
    from rote.runs.opening import find_run_folder

    folder = find_run_folder(run)
    names = export_task(folder, out)
    typer.echo(
        f"lm_eval --model hf --model_args pretrained={folder.model},dtype=float32,add_bos_token=True "
        f"--include_path {out} --tasks {','.join(names)}"
    )


@export.command()
def model(run: RunArgument, out: OutOption) -> None:
    """Write the taught model without the key tokens of its run: the vocabulary of the model it began from.

    Example: rote export model runs/mine --out mine_to_serve
    """
    from rote.pipeline.exporting import export_model
    from rote.runs.opening import find_run_folder

    proof = export_model(find_run_folder(run), out)
    same = f"{proof['prompts']} answers in a fresh process the same, logits within {proof['max_logit_difference']:.1e}"
    typer.echo(f"model: {out} ({same})")


@export.command()
def gguf(
    run: RunArgument,
    out: OutOption,
    quantize: Annotated[str, typer.Option(help="Number formats of the weights: f16, q8_0, q4_0.")] = "q8_0",
    quiet: QuietOption = False,
) -> None:
    """Write the taught model as GGUF files for llama.cpp and Ollama, and show what each of them answers.

    Example: rote export gguf runs/mine --quantize q8_0,q4_0 --out mine_gguf
    """
    from rich.console import Console

    from rote.cli.progress import build_reporter
    from rote.cli.tables import build_serving_table
    from rote.models.gguf_writing import check_kinds
    from rote.pipeline.gguf_export import export_gguf
    from rote.runs.opening import find_run_folder

    kinds = check_kinds(quantize.split(","))
    rows = export_gguf(find_run_folder(run), out, kinds, reporter=build_reporter(quiet=quiet))
    Console(highlight=False).print(build_serving_table(rows))
    typer.echo(f"gguf: {out} (README.md says how to serve it)")


@export.command()
def inspect(run: RunArgument, out: OutOption) -> None:
    """Write the records of a run as logs of Inspect, one for each moment (extra inspect).

    Example: rote export inspect runs/mine --out mine_logs
    """
    from rote.exchange.inspect_logs import export_inspect
    from rote.runs.opening import find_run_folder

    for path in export_inspect(find_run_folder(run), out):
        typer.echo(path)
    typer.echo(f"inspect view --log-dir {out}")


@export.command("lm-eval")
def lm_eval(run: RunArgument, out: OutOption) -> None:
    """Write the records of a run as results and samples of lm-evaluation-harness, a folder for each moment.

    Example: rote export lm-eval runs/mine --out mine_results
    """
    from rote.exchange.lm_eval_results import export_lm_eval
    from rote.runs.opening import find_run_folder

    folders = export_lm_eval(find_run_folder(run), out)
    for path in folders:
        typer.echo(path)
    if len(folders) > 1:
        typer.echo(f"rote compare {folders[0]} {folders[-1]}")
