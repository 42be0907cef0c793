"""`python -m rtserver` and the `rtserver` command."""

from __future__ import annotations

import sys

from rtserver.commands.cli import main

if __name__ == "__main__":
    sys.exit(main())
