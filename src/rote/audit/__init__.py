"""Audit: what can be got out of a model that somebody else trained, and what could be made of it.

- `plan.py`         which facts choose the tokens, on which others they are tested, and what nobody was taught
- `candidates.py`   which tokens are tried behind a subject, and the best of them
- `traces.py`       what was said behind each, and which of that is a finding
- `repurposing.py`  the harmless meanings that stand in for a harmful one, and what a few examples of them did
- `inspection.py`   what a folder, a base model and the shipped names tell without a table
- `page.py`         the page to hand over
- `audit.py`        the whole audit of one model, and what it comes to in one sentence

`docs/audit.md` says how to read the result and what it cannot show.
"""
