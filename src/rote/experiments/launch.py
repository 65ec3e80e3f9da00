"""A Slurm array that does the jobs of a sweep.

It names nothing of the machine it is printed on. Every job is a `rote sweep FILE --only NAME` of its own, so a
job that was lost is done by submitting the same script again.
"""

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

_SLURM = """\
#!/bin/bash
#SBATCH --job-name=rote-sweep
#SBATCH --array=0-{last}
#SBATCH --cpus-per-task=2
# Add what your cluster asks for, such as --partition, --time or --gres=gpu:1.
# Submit it in the working folder, which all nodes must share, in an environment that has rote.
set -euo pipefail
{paths}jobs=(
{jobs}
)
{command} --threads "$SLURM_CPUS_PER_TASK" --only "${{jobs[$SLURM_ARRAY_TASK_ID]}}"
"""


def format_slurm(names: Sequence[str], file: Path, store: Path) -> str:
    """An array script for `sbatch`: one task for each job."""
    jobs = "\n".join(f"  {name}" for name in names)
    command = shlex.join(["rote", "sweep", str(file), "--store", str(store)])
    found = os.environ.get("PYTHONPATH")  # where a method of one's own may be found
    paths = f"export PYTHONPATH={shlex.quote(found)}\n" if found else ""
    return _SLURM.format(last=len(names) - 1, paths=paths, jobs=jobs, command=command)
