"""The version, kept here alone: packaging and `rote --version` read it."""

__version__ = "0.1.0"
