"""Experiments, declared as data: which runs, over which seeds, and which figures are drawn from their records.

Each `*.yaml` here is one experiment; `rote reproduce NAME` does its runs (finished ones are not done again) and prints
its table.
"""
