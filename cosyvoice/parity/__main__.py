"""Compares this code with recorded numbers of the original: `python -m cosyvoice.parity DIR`.

DIR holds fixtures of the form of tests/golden (weights, inputs and outputs of a tiny model; sizes come from its
tensors). Prints the processor, then a line a case with its largest deviation; the exit status is 1 when one is past its
tolerance.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cosyvoice.errors import CheckpointError
from cosyvoice.parity.cases import parity_cases
from cosyvoice.parity.processor import describe_processor


def main() -> int:
    """The command's exit status: 0 within tolerance, 1 past it, 2 for unusable fixtures."""
    parser = argparse.ArgumentParser(
        prog="python -m cosyvoice.parity", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("directory", type=Path, metavar="DIR", help="fixtures, for example tests/golden")
    args = parser.parse_args()
    print(describe_processor(), flush=True)
    failed = total = 0
    try:
        for case in parity_cases(args.directory):
            total += 1
            failed += not case.passed
            mark = "ok  " if case.passed else "FAIL"
            print(f"{mark} {case.name:55s} {case.deviation:9.2e}  tolerance {case.tolerance:.0e}", flush=True)
    except CheckpointError as error:
        print(f"parity: {error}", file=sys.stderr)
        return 2
    print(f"{total} cases, {failed} past tolerance")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
