"""Comparison: what one model does and another does not, from what was recorded of both.

- `runs.py`     run folders: accuracy by moment, fact set, prompt set and language
- `audits.py`   audits: verdicts, settings that differ, and which figures are apart
- `logs.py`     logs of lm-evaluation-harness or Inspect, question by question
- `methods.py`  other ways to teach beside a run: the jobs are done here, with the same facts, questions and tokens
"""
