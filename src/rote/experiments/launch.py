"""A Slurm array that does the jobs of a sweep.

It names nothing of the machine it is printed on, but for a `PYTHONPATH` that a method of one's own needs, and for
limits that were moved. Every job is
a `rote sweep FILE --only NAME` of its own, so a job that was lost is done by submitting the same script again.
"""

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from rote.limits import VARIABLE

_SLURM = """\
#!/bin/bash
#SBATCH --job-name=rote-sweep
#SBATCH --array=0-{last}
#SBATCH --cpus-per-task={threads}
# Add what your cluster asks for, such as --partition, --time or --gres=gpu:1.
# Submit it in the working folder, which all nodes must share, in an environment that has rote.
set -euo pipefail
{exports}jobs=(
{jobs}
)
{command} --threads "$SLURM_CPUS_PER_TASK" --only "${{jobs[$SLURM_ARRAY_TASK_ID]}}"
"""


def format_slurm(names: Sequence[str], file: Path, store: Path, *, threads: int | None = None) -> str:
    """An array script for `sbatch`: one task for each job, with what the environment says of imports and limits."""
    jobs = "\n".join(f"  {name}" for name in names)
    command = shlex.join(["rote", "sweep", str(file), "--store", str(store)])
    said = {name: os.environ[name] for name in ("PYTHONPATH", VARIABLE) if os.environ.get(name)}
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in said.items())
    return _SLURM.format(last=len(names) - 1, threads=threads or 2, exports=exports, jobs=jobs, command=command)
