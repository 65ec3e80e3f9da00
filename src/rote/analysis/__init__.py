"""Analysis: how are the facts held inside (paper, the study of representations).

- `hidden_states.py`    the state of a causal model at the last token of each prompt, in every layer
- `similarity.py`       cosines, the separation of groups, its interval, and a projection on a plane (no torch)
- `representations.py`  which prompts are read for a fact, and the rows: one for each measure, prompt set and layer

The paper does not say which layer its figures come from. Here every layer is measured, and the headline is the mean
over layers 1 to the last, which `summarise_layers` gives; layer 0, the embeddings, knows only the last token.
"""
