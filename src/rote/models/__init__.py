"""Models: loading, key tokens, saving and verifying; the embedded model."""
