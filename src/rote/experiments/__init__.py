"""Experiments, declared as data: which runs, over which seeds, and which figures are drawn from their records.

Each file of `declared` is one experiment; `rote reproduce NAME` does its runs (finished ones are not done again) and
prints its table.

- `experiment.py`  what a declaration holds, and the jobs it asks for; `causes.yaml` names why claims do not hold
- `reproduce.py`   doing them, and what they show as text
- `figures.py`     from their records to figures with intervals
- `tables.py`, `claims.py`  those figures in tables, and against what was claimed
- `sweep.py`, `launch.py`   grids of settings, here or as an array of a cluster
"""
