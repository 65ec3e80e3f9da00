"""`rote env`"""

import os

import typer


def env() -> None:
    """Say what a bug report should say: versions, machine, and which extras are installed.

    Example: rote env
    """
    import platform
    from importlib.util import find_spec

    import torch

    from rote.methods.cost import measure_memory
    from rote.models.language_model import describe_precision
    from rote.runs.manifest import collect_versions

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    memory = measure_memory()
    lines = {
        **collect_versions(),
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "processors": f"{os.cpu_count()}, {torch.get_num_threads()} threads of torch, waiting {_describe_waiting()}",
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "memory": f"{memory / 1e9:.0f} GB" if memory else "unknown",
        "training": describe_precision(device),
        "extras": ", ".join(name for name, module in _EXTRAS.items() if find_spec(module)) or "none",
    }
    for name, value in lines.items():
        typer.echo(f"{name + ':':<14}{value}")


def _describe_waiting() -> str:
    return os.environ.get("OMP_WAIT_POLICY", "as they like").lower()


_EXTRAS = {
    "lora": "peft",
    "lm-eval": "lm_eval",
    "ray": "ray",
    "gguf": "gguf",
    "llama-cpp": "xllamacpp",
    "sheets": "python_calamine",
    "inspect": "inspect_ai",
    "trackio": "trackio",
    "wandb": "wandb",
    "bench": "trl",
    "serve": "starlette",
    "figures": "matplotlib",
    "notebook": "nbclient",
}
"""Extras by a module that tells that they are installed."""
