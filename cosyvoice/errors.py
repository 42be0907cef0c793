"""Errors of the model package. Every message names the file or argument, what was expected and what was found."""

from __future__ import annotations


class CosyVoiceError(Exception):
    """Base of all errors raised on purpose by this package."""


class CheckpointError(CosyVoiceError):
    """A model directory has a missing, truncated or mismatched file."""


class VoiceError(CosyVoiceError):
    """A voice is unknown, or a prompt cannot be used with this checkpoint."""


class TextError(CosyVoiceError):
    """A text or mode the checkpoint cannot speak."""


class CacheFull(CosyVoiceError):
    """The flow cache's byte budget does not hold another block."""


class StreamError(CosyVoiceError):
    """A vocoder stream is fed what it cannot take: mel of another shape, mel after its end, a foreign record."""
