"""Where the tests' data lies."""

from pathlib import Path

GOLDEN_DIR = Path(__file__).parent / "golden"
