"""Training: batches, one loop, the optimizer, checkpoints. Nothing here knows how a model is examined.

- `loop.py`         the one loop: accumulate, check, clip, update, record, checkpoint
- `losses.py`       next-token loss, and the logits where a label is
- `optimizer.py`    AdamW, warm-up and decay
- `checkpoints.py`  atomic checkpoints of a loop, and the weights of a finished one, safetensors and JSON
- `parallel.py`     one model over several processes
- `pretraining.py`  making the embedded model
"""
