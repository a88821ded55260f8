"""Tests what papers claim of modules of the shelf, small: every arm over several seeds, and a verdict.

    python scripts/claims.py                    # lists the claims
    python scripts/claims.py eca                # tests one: minutes on one core
    python scripts/claims.py eca --seeds 2      # a quicker look, which is not kept
    python scripts/claims.py --table docs/claims.md

Numbers of a full test are kept in scripts/experiments/claims/results/NAME.json, from which the table is made.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.experiments.claims import find, names, page, section, test


def main() -> int:
    """Test what is named, or write the table."""
    parser = argparse.ArgumentParser(prog="scripts/claims.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="claims to test; none: list them")
    parser.add_argument("--seeds", type=int, help="of each arm; other than the claim's own: nothing is kept")
    parser.add_argument("--table", type=Path, metavar="FILE", help="write the page of what was found")
    given = parser.parse_args()
    unknown = [name for name in given.names if name not in names()]
    if unknown:
        parser.error(f"there is no claim {', '.join(unknown)}; known: {', '.join(names())}")
    for name in given.names:
        print(section(name, test(name, given.seeds)), flush=True)
    if given.table:
        given.table.write_text(page())
    elif not given.names:
        for name in names():
            print(f"{name:20} {find(name).claim}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
