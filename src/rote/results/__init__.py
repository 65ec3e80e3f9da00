"""Results: what finished experiments and single runs show, written down so that it outlives the jobs it came from.

- `publish.py`          `RESULTS.md`, and the files of the folder `results` beside it
- `entries.py`          what is published of one experiment, as text; what another version of the code measured is stale
- `run_entries.py`      the same of single runs: exported (`served_entries.py`), taught later tables
  (`later_entries.py`), made to forget (`forget_entries.py`)
- `seeds.py`            which runs may be averaged: those that differ in their seed and in nothing else
- `claims_by_model.py`  claims of several models side by side, and in a few lines what holds on which
- `markdown.py`         the text of `RESULTS.md`
- `table_files.py`, `figure_files.py`  the same tables as CSV and LaTeX, and drawn as SVG and PDF
"""
