"""What is told before a run of what such models came to."""

from rote.pipeline.expectations import describe_expectations


def test_the_measured_model_that_is_nearest_in_size_is_named() -> None:
    """By ratio: 60 M is six times the one and less than half of the other."""
    named = {size: describe_expectations(size) for size in (10_000, 20_000_000, 60_000_000, 494_000_000, 7 * 10**9)}
    assert [
        name for line in named.values() for name in ("rote-tiny", "smollm2-135m", "gemma-3-270m") if name in line
    ] == [
        "rote-tiny",
        "rote-tiny",
        "smollm2-135m",
        "gemma-3-270m",
        "gemma-3-270m",
    ]
