"""The Ray executor keeps the contract of executors."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from qd.executors.cluster import connect
from qd.executors.options import RayConfig
from qd.executors.ray_executor import RayExecutor
from qd.testing import ExecutorConformance

TWO_WORKERS = RayConfig(workers=2)


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    """One for all tests of this file: starting it takes longer than they do."""
    connection = connect(TWO_WORKERS)
    yield
    connection.close()


@pytest.mark.slow
class TestRayExecutor(ExecutorConformance):
    @pytest.fixture
    def make_executor(self):
        return lambda evaluator: RayExecutor(evaluator, TWO_WORKERS)
