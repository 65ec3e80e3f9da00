"""`python -m rote`: the command line; started by `torchrun`, in several processes of which the first one speaks."""

import os
import sys
from contextlib import redirect_stderr, redirect_stdout

from rote.cli.main import main


def _run_together() -> None:
    """Run in step with the others. One that fails leaves at once, and `torchrun` ends the rest."""
    from rote.training.parallel import is_first_process, join_processes, leave_processes

    join_processes()
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        out, err = (sys.stdout, sys.stderr) if is_first_process() else (nowhere, nowhere)
        try:
            with redirect_stdout(out), redirect_stderr(err):
                main()
        except SystemExit as leaving:
            if leaving.code:
                raise
    leave_processes()


if __name__ == "__main__":
    _run_together() if int(os.environ.get("WORLD_SIZE", "1")) > 1 else main()
