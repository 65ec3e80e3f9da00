"""Ways to teach a table to a model, one file each."""
