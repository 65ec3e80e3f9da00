"""Numbers that are nearly zero, while a model is trained."""

import pytest
import torch

from rote.arithmetic import flush_denormals


def test_denormals_are_zero_inside_and_numbers_again_outside_whatever_happens() -> None:
    tiny = torch.tensor(1e-39)
    with flush_denormals():
        assert (tiny * 1).item() == 0.0
    assert (tiny * 1).item() > 0.0
    with pytest.raises(KeyError), flush_denormals():
        raise KeyError
    assert (tiny * 1).item() > 0.0
