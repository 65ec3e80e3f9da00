"""Evaluation: what does a model know now. A model and questions go in, records come out (paper, section 4).

- `questions.py`   which questions are asked: facts x prompts x languages, and which as a choice (no torch)
- `reading.py`     prompts of all lengths in batches, read once for all that follows
- `generation.py`  measure 1: greedy answers, batched, stopped as soon as the verdict is sure; answers drawn at random
- `scoring.py`     measures 2 and 3: log-probabilities of objects and of 100 candidates from one forward
- `examine.py`     the evaluators: `examine` gives one `Record` per question, `recall_by_key` one figure
- `knowledge.py`   what a model believes about a fact: known, partly known, unknown, or something else with confidence
- `asking.py`      one free question, and how probable each of some answers is
- `statistics.py`  means and differences with their 95% intervals, over facts and seeds (no torch)
- `trainer_callback.py`  `FactRecall`, which examines the model of a `transformers.Trainer` while it is trained
- `summary.py`     `summary.json`: the table of every figure, computed from records only (no torch)
"""
