"""Typed, strict configuration; nothing here imports torch."""
