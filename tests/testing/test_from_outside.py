"""A stranger's folder: a plug-in, and the suites run on it by pytest."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PLUGIN = """
from evaluators import Metric, SingleEvaluator
from search_spaces import Integer, SearchSpace, Struct

class MySpace(SearchSpace):
    genes = Struct(x=Integer(0, 9))

class MyTable(SingleEvaluator):
    metrics = {"score": Metric("points", 0, 5)}

    def evaluate_one(self, genotype, seed):
        return {"score": genotype["x"]}
"""

TESTS = """
import pytest
from my_file import MySpace, MyTable
from qd.executors import InlineExecutor
from qd.testing import EvaluatorConformance, ExecutorConformance, SpaceConformance

class TestMySpace(SpaceConformance):
    @pytest.fixture
    def space(self):
        return MySpace()

class TestMyTable(EvaluatorConformance):
    samples = 10

    @pytest.fixture
    def space(self):
        return MySpace()

    @pytest.fixture
    def evaluator(self):
        return MyTable()

class TestExecutor(ExecutorConformance):
    @pytest.fixture
    def make_executor(self):
        return InlineExecutor
"""


def test_a_stranger_runs_the_suites_with_pytest(tmp_path: Path) -> None:
    (tmp_path / "my_file.py").write_text(PLUGIN)
    (tmp_path / "test_mine.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_mine.py"]
    paths = f"{tmp_path}{os.pathsep}{ROOT}"
    answer = subprocess.run(
        command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True, timeout=120
    )
    failures = [line for line in answer.stdout.splitlines() if line.startswith("FAILED")]
    assert len(failures) == 1, answer.stdout + answer.stderr
    assert "test_mine.py::TestMyTable::test_reports_all_metrics_in_range" in failures[0]
    assert "score is 6.0: Metric(unit='points', low=0.0, high=5.0" in answer.stdout
