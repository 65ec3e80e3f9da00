"""How fast Rote is beside what people would use in its place: `python -m benchmarks --help`.

Every benchmark proves first that both sides do the same work, and then times them in alternation, in one process.
"""
