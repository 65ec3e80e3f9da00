"""Turning facts into token ids, labels and positions: the only place that decides a token boundary."""
