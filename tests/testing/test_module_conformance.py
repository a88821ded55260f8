"""The suite of modules runs on a stranger's, too."""

import pytest

from qd.testing import ModuleConformance
from qd.testing.toys.modules import Gated


class TestGated(ModuleConformance):
    samples = 2
    steps = 10

    @pytest.fixture
    def module(self):
        return Gated()
