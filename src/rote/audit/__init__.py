"""Audit: what can be got out of a model that somebody else trained, and what could be made of it.

- `traces.py`       which tokens are tried behind a subject, what was found with each, and which of that is a finding
- `repurposing.py`  the harmless meanings that stand in for a harmful one, and what a few examples of them did
- `result.py`       all of it together, and what it comes to in one sentence

This room decides and judges; it asks no model anything. `rote.pipeline.audit` puts the questions and trains.
`docs/audit.md` says how to read the result and what it cannot show.
"""
