"""Conformance suites for people who write a space, an evaluator or an executor; they need pytest.

Subclass one in a test file of your own, give the fixtures that it asks for, and run pytest:

    from qd.testing import SpaceConformance

    class TestMySpace(SpaceConformance):
        @pytest.fixture
        def space(self):
            return MySpace()
"""

import pytest

# Before the imports: only then a failing assertion of a suite shows the values that it compared.
for suite in ("spaces", "stacks", "evaluators", "executors"):
    pytest.register_assert_rewrite(f"{__name__}.{suite}")

from .evaluators import EvaluatorConformance  # noqa: E402 - see above
from .executors import ExecutorConformance  # noqa: E402
from .spaces import SpaceConformance  # noqa: E402
from .stacks import StackConformance  # noqa: E402

__all__ = ["EvaluatorConformance", "ExecutorConformance", "SpaceConformance", "StackConformance"]
