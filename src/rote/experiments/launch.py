"""A Slurm array that does the jobs of a sweep.

It names nothing of the machine it is printed on, but for a `PYTHONPATH` that a method of one's own needs. Every job is
a `rote sweep FILE --only NAME` of its own, so a job that was lost is done by submitting the same script again.
"""

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


def format_slurm(names: Sequence[str], file: Path, store: Path, *, python_path: str = "") -> str:
    """An array script for `sbatch`: one task for each job, with the folders that Python is to import from."""
    jobs = "\n".join(f"  {name}" for name in names)
    command = shlex.join(["rote", "sweep", str(file), "--store", str(store)])
    paths = f"export PYTHONPATH={shlex.quote(python_path)}\n" if python_path else ""
    return _SLURM.format(last=len(names) - 1, paths=paths, jobs=jobs, command=command)
