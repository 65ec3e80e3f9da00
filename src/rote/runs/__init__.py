"""The run folder: what lies where in it, whose it is, and writing that is never half done."""
