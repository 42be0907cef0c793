"""Deepgram names each model by a UUID too. Ours follows from the voice's name."""

from __future__ import annotations

import uuid


def model_id(model: str) -> str:
    """The UUID of the voice that a client asks for."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"cosyvoice-rtserver/{model}"))
