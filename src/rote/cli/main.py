"""`rote`: the entry point and its list of commands."""

import logging
import sys
import warnings
from typing import Annotated, NoReturn

import typer

from rote.cli.ask import ask
from rote.cli.audit import audit
from rote.cli.chat import chat
from rote.cli.compare import compare
from rote.cli.env import env
from rote.cli.examine import examine
from rote.cli.export import export
from rote.cli.facts import facts
from rote.cli.facts_convert import convert
from rote.cli.forget import forget
from rote.cli.models import models
from rote.cli.pretrain import pretrain
from rote.cli.prompts import prompts
from rote.cli.report import report
from rote.cli.reproduce import reproduce
from rote.cli.results import results
from rote.cli.run import run
from rote.cli.serve import serve
from rote.cli.sweep import sweep
from rote.cli.why import why
from rote.errors import RoteError
from rote.limits import move_limits
from rote.version import __version__

_LONGEST_LINE = 2_000
"""Characters of a message at most, whatever text of a file stands in it."""
_INTERRUPTED = 130
"""The exit code typer leaves with after Ctrl-C."""
app = typer.Typer(
    name="rote",
    help="Teach a table of facts to a language model and prove what it then knows.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
_COMMANDS = (
    *(run, examine, audit, forget, report, ask, chat, why, serve),
    *(reproduce, sweep, compare, results, pretrain, env),
)
_SAVING = ("reproduce", "sweep", "pretrain")
"""They keep what is done as they go on; `run` and `forget` say themselves how to go on (rote.cli.stopping)."""
for command in _COMMANDS:
    app.command()(command)
facts.command()(convert)
app.add_typer(facts, name="facts")
app.add_typer(prompts, name="prompts")
app.add_typer(models, name="models")
app.add_typer(export, name="export")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"rote {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and leave.")
    ] = False,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            "--limit", metavar="NAME=NUMBER", help="Read more of a file than a table of facts has; may be repeated."
        ),
    ] = None,
) -> None:
    """Teach a table of facts to a language model and prove what it then knows."""
    move_limits(limit or ())


def _show_log() -> None:
    """What the library logs (which model it loaded) goes to stderr, as it is."""
    log = logging.getLogger("rote")
    log.handlers = [logging.StreamHandler(sys.stderr)]
    log.setLevel(logging.INFO)
    log.propagate = False


def main() -> None:
    """Run the command line; a user's mistake is one line and exit code 2, a bug keeps its traceback."""
    _show_log()
    # What libraries will rename one day is news for us, not for a person at the command line.
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"transformers|peft")
    # A name that is nowhere is said in one line once the hub has been tried, not at each of five tries.
    logging.getLogger("huggingface_hub.utils._http").setLevel(logging.ERROR)
    try:
        code = app(standalone_mode=False)
    except RoteError as error:
        _leave(str(error), 2)
    except typer.TyperException as error:  # a flag or command that there is not
        message = error.format_message()
        if "\n" in message:  # the help, for a command that was given nothing
            print(message)
            sys.exit(2)
        _leave(f"{message.rstrip('.')}; see --help", 2)
    if code == _INTERRUPTED:
        _leave(f"stopped{'; the same command goes on with what was saved' * (_find_command() in _SAVING)}", code)
    sys.exit(code)


def _find_command() -> str:
    names = {command.__name__ for command in _COMMANDS}
    return next((word for word in sys.argv[1:] if word in names), "")


def _leave(message: str, code: int) -> NoReturn:
    half = _LONGEST_LINE // 2  # what is wrong stands at the begin, the remedy at the end
    line = message if len(message) <= _LONGEST_LINE else f"{message[:half]} ... {message[-half:]}"
    print(f"rote: {line}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
