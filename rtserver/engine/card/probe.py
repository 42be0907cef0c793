"""Prints the GPU that PyTorch would use, as one JSON object, or null: `python -m rtserver.engine.card.probe`.

It is a process of its own, because the server's front has no PyTorch, and because asking takes memory on the GPU, which
is free again when the process ends.
"""

from __future__ import annotations

import json

import torch


def main() -> None:
    """Asks and prints."""
    found = None
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        found = {
            "name": torch.cuda.get_device_name(),
            "memory_mib": total >> 20,
            "capability": torch.cuda.get_device_capability(),
            "free_mib": free >> 20,
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
