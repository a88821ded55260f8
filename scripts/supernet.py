#!/usr/bin/env python
"""Trains the bank of a run file with `evaluator: {kind: supernet, ...}`, and writes it as safetensors.

    python scripts/supernet.py my_run.yaml bank.safetensors

Then say `file: bank.safetensors` in the run file's evaluator: every worker reads it, and none trains one.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from evaluators.supernet import Supernet
from qd.config import load
from qd.runs.problem import prepare


def main() -> int:
    """Train, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run_file", type=Path, metavar="RUN_FILE")
    parser.add_argument("file", type=Path, metavar="FILE", help="is replaced where it is there")
    given = parser.parse_args()
    evaluator = prepare(load(given.run_file), str(given.run_file), None).evaluator
    if not isinstance(evaluator, Supernet):
        parser.error(f"{given.run_file}: expected evaluator: {{kind: supernet, ...}}")
    evaluator.bank.save(given.file)
    print(f"{given.file}: {len(evaluator.bank):,} numbers in {len(evaluator.bank.tensors)} tensors")
    return 0


if __name__ == "__main__":
    sys.exit(main())
