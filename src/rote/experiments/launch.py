"""Scripts that do the trials of a sweep on machines of other people: a Slurm array, a SkyPilot task.

They name nothing of the machine they are printed on. Every job is a `rote sweep FILE --only NAME` of its own, so a
job that was lost is done by submitting the same script again.
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
trials=(
{trials}
)
{command} --threads "$SLURM_CPUS_PER_TASK" --only "${{trials[$SLURM_ARRAY_TASK_ID]}}"
"""

_SKYPILOT = """\
name: rote-sweep
num_nodes: 1  # with more, each node does its share of the trials
workdir: .
resources:
  cpus: 2+
# To keep the results, and to share them between nodes, mount a bucket of yours where --out is:
# file_mounts:
#   ~/sky_workdir/{out}:
#     name: my-bucket
#     mode: MOUNT
setup: |
  pip install rote
run: |
  set -euo pipefail
  trials=(
{trials}
  )
  for ((i = SKYPILOT_NODE_RANK; i < ${{#trials[@]}}; i += SKYPILOT_NUM_NODES)); do
    {command} --only "${{trials[$i]}}"
  done
"""


def format_slurm(names: Sequence[str], file: Path, out: Path) -> str:
    """An array script for `sbatch`: one task for each job."""
    return _SLURM.format(last=len(names) - 1, trials=_indent(names, 2), command=_build_command(file, out))


def format_skypilot(names: Sequence[str], file: Path, out: Path) -> str:
    """A task for `sky launch`: each node does every n-th job."""
    return _SKYPILOT.format(out=out, trials=_indent(names, 4), command=_build_command(file, out))


def _build_command(file: Path, out: Path) -> str:
    return shlex.join(["rote", "sweep", str(file), "--out", str(out)])


def _indent(names: Sequence[str], width: int) -> str:
    return "\n".join(" " * width + name for name in names)
