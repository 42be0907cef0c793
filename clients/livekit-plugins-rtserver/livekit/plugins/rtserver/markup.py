"""What LiveKit's expressive mode may ask of these voices, as instructions for the model that writes the text."""

from __future__ import annotations

from typing import Any

from livekit.agents import tts
from livekit.plugins.rtserver.lowering import Lowering

INSTRUCTIONS = """\
You control speech delivery with a single XML marker tag: <expr/>. Every marker has a type attribute. Use only the \
types and labels below, and use them sparingly: most sentences need none. Write the words as people talk ("I'm", \
"don't").

1. Pauses - insert silence. Self-closing.
   <expr type="break" label="500ms"/> - the label is a duration in seconds or milliseconds.

2. Pace - wraps the words that are said slower or faster.
   <expr type="prosody" label="slow">words</expr>
   Labels: x-slow, slow, fast, x-fast.

3. Spell - wraps text that is read character by character, such as codes and names that are spelled out.
   <expr type="spell">A7X9</expr>
   Keep punctuation out of it.

This voice has no emotions, no sounds such as laughter, and no other types or labels.

Examples:
  Let me see. <expr type="break" label="500ms"/> Yes, we have a table at eight.
  Your code is <expr type="spell">A7X9</expr>.
  <expr type="prosody" label="slow">Please write this down.</expr>"""


class Markup(tts.TTS.Markup):
    """The pauses, rates and spelling of `docs/markup.md`."""

    def _provider_key(self) -> str:
        return "rtserver"

    def llm_instructions(self, *, speech_steering: Any = None) -> str | None:
        """What the model is taught. Steering is about sounds, and there are none."""
        return INSTRUCTIONS

    def convert(self, text: str) -> str:
        """A whole text in the server's own tags."""
        lowering = Lowering()
        return lowering.feed(text) + lowering.end()
