"""Compares this code with recorded numbers of the original: `python -m cosyvoice.parity DIR`.

DIR holds fixtures of the form of tests/golden (weights, inputs and outputs of a tiny model; sizes come from its
tensors). Prints a line a case with its largest deviation; the exit status is 1 when one is past its tolerance.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import torch

from cosyvoice.errors import CheckpointError
from cosyvoice.golden import Case, Golden
from cosyvoice.parity_end_to_end import end_to_end_cases
from cosyvoice.parity_flow import flow_cases
from cosyvoice.parity_frontend import frontend_cases
from cosyvoice.parity_talker import talker_cases
from cosyvoice.parity_vocoder import vocoder_cases


@torch.no_grad()
def parity_cases(directory: Path) -> Iterator[Case]:
    """All cases of a directory, fp32 on the CPU. CheckpointError for a fixture that is missing or broken."""
    golden = Golden(directory)
    yield from frontend_cases(golden)
    yield from talker_cases(golden)
    yield from flow_cases(golden)
    yield from vocoder_cases(golden)
    yield from end_to_end_cases(golden)


def main() -> int:
    """The command's exit status: 0 within tolerance, 1 past it, 2 for unusable fixtures."""
    parser = argparse.ArgumentParser(
        prog="python -m cosyvoice.parity", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("directory", type=Path, metavar="DIR", help="fixtures, for example tests/golden")
    args = parser.parse_args()
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
