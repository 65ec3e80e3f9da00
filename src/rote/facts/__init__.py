"""What is to be known: facts, tables, relations and their prompts; nothing here imports torch."""
