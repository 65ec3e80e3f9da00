"""Ways to teach are compared on the random model that experiments are tested on."""

from tests.experiments.conftest import model as model
