"""`rote serve`"""

from pathlib import Path
from typing import Annotated

import typer

from rote.cli.options import PickleOption, RemoteCodeOption, RevisionOption, build_load_options
from rote.errors import ConfigError


def serve(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    base: Annotated[
        str | None, typer.Option(help="The model that is asked beside the taught one; by default the run's own base.")
    ] = None,
    compare: Annotated[Path | None, typer.Option(help="Folder of another finished run, to compare with.")] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen at; by default one that this machine alone reaches.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen at; 0 takes a free one.")] = 0,
    revision: RevisionOption = None,
    trust_remote_code: RemoteCodeOption = False,
    allow_pickle: PickleOption = False,
) -> None:
    """Show a finished run in the browser. Ask the model beside its base, look facts up, see what was lost.

    Example: rote serve runs/mine --compare runs/other
    """
    try:
        from rote.serving.app import Pages
        from rote.serving.server import is_loopback, open_place, serve_forever
    except ImportError as error:
        raise ConfigError(
            "rote serve needs starlette and uvicorn; install them with: pip install -e '.[serve]'"
        ) from error
    from rote.serving.asker import load_asker
    from rote.serving.comparing import load_compared
    from rote.serving.content import load_served_run

    with open_place(host, port) as place:
        served = load_served_run(run)
        compared = load_compared(run, compare) if compare else None
        asker = load_asker(run, base, build_load_options(revision, trust_remote_code, allow_pickle))
        if not is_loopback(host):
            typer.echo(f"warning: whoever reaches {host} and has this address can ask; nothing is encrypted", err=True)
        serve_forever(
            Pages(served, asker, compared).build_app(),
            place,
            on_start=lambda: typer.echo(f"open {place.address} (Ctrl-C ends it)"),
        )
