"""Retention: texts that keep what a model knew in place while it learns something else.

- `texts.py`     the texts: written by the model itself, or a person's, without what must not be shown
- `subjects.py`  what the model answers about the subjects that are taught, for updates
- `penalty.py`   how the texts are held while training
- `teacher.py`   what the untrained model says about them
"""
