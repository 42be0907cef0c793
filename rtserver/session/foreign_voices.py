"""Which of our voices speaks for a voice of another service.

A client that was written for that service then speaks with nothing changed but its URL. `female` and `male` are the
voice of that gender in the language of the text.
"""

from __future__ import annotations

from collections.abc import Mapping

# OpenAI's voices. Those that it calls neutral are given by how they sound.
_OPENAI = {
    **dict.fromkeys(("alloy", "coral", "marin", "nova", "sage", "shimmer"), "female"),
    **dict.fromkeys(("ash", "ballad", "cedar", "echo", "fable", "onyx", "verse"), "male"),
}

# The men among Deepgram's voices, which are named as aura-2-apollo-en, aura-orion-en, flux-cole-en.
_DEEPGRAM_MEN = (
    *("alvaro", "angus", "apollo", "aquila", "arcas", "aries", "atlas", "cesare", "chiron", "dionisio", "draco"),
    *("ebisu", "elio", "fabian", "flavio", "fujin", "hector", "helios", "hermes", "hyperion", "janus", "javier"),
    *("julius", "jupiter", "lars", "luciano", "mars", "neptune", "nestor", "odysseus", "ophiuchus", "orion"),
    *("orpheus", "perseus", "pluto", "roman", "sander", "saturn", "sirio", "titan", "triton", "valerio", "zeus"),
    *("bruce", "cliff", "cole", "colin", "conor", "donovan", "drew", "jack", "kai", "marcelo", "marcus", "miles"),
    *("naveen", "rufus", "sean", "tanner", "wade", "wes"),
)

# Qwen3-TTS, as vllm-omni and Baseten serve it, and Orpheus, Baseten's other one.
_BASETEN = {
    **dict.fromkeys(("ono_anna", "serena", "sohee", "tara", "vivian"), "female"),
    **dict.fromkeys(("aiden", "dylan", "eric", "ryan", "uncle_fu"), "male"),
}

# By name or pattern (`*` is any text). The first that fits counts.
FOREIGN_VOICES: Mapping[str, str] = {
    **_OPENAI,
    **_BASETEN,
    **{f"aura-*{man}-*": "male" for man in _DEEPGRAM_MEN},
    **{f"flux-{man}-*": "male" for man in _DEEPGRAM_MEN},
    # All others, and voices that are newer than this table.
    "aura-*": "female",
    "flux-*": "female",
}
