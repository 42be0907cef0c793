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

# ElevenLabs' own voices, by their ids in the order of their names: Alice, Aria, Bella, Charlotte, Domi, Dorothy, Elli,
# Emily, Freya, Gigi, Glinda, Grace, Jessica, Laura, Lily, Matilda, Mimi, Nicole, Rachel, River, Sarah, Serena.
_ELEVENLABS_WOMEN = (
    *("Xb7hH8MSUJpSbSDYk0k2", "9BWtsMINqrJLrRacOk9x", "hpp4J3VqNfWAUOO0d1Us", "XB0fDUnXU5powFXDhCwa"),
    *("AZnzlk1XvdvUeBnXmlld", "ThT5KcBeYPX3keUQqHPh", "MF3mGyEYCl7XYWbV9V6O", "LcfcDJNUP1GQjkzn1xUU"),
    *("jsCqWAovK2LkecY7zXl4", "jBpfuIE2acCO8z3wKNLl", "z9fAnlkpzviPz146aGWa", "oWAxZDx7w5VEj9dCyTzz"),
    *("cgSgspJ2msm6clMCkdW9", "FGY2WhTYpPnrIDTdsKH5", "pFZP5JQG7iQjIQuC4Bku", "XrExE9yKIg1WjnnlVkGX"),
    *("zrHiDhphv9ZnVXBqCLjz", "piTKgcLEGmPE4e6mEKli", "21m00Tcm4TlvDq8ikWAM", "SAz9YHcvj6GT2YYXdXww"),
    *("EXAVITQu4vr4xnSDxMaL", "pMsXgVXv3BLzUgSXRplE"),
)
# Adam, Antoni, Arnold, Bill, Brian, Callum, Charlie, Chris, Clyde, Daniel, Dave, Drew, Eric, Ethan, Fin, George,
# Giovanni, Harry, James, Jeremy, Jessie, Joseph, Josh, Liam, Michael, Patrick, Paul, Roger, Ryan, Sam, Thomas, Will.
_ELEVENLABS_MEN = (
    *("pNInz6obpgDQGcFmaJgB", "ErXwobaYiN019PkySvjV", "VR6AewLTigWG4xSOukaG", "pqHfZKP75CvOlQylNhV4"),
    *("nPczCjzI2devNBz1zQrb", "N2lVS1w4EtoT3dr4eOWO", "IKne3meq5aSn9XLyUdCD", "iP95p4xoKVk53GoZ742B"),
    *("2EiwWnXFnvU5JabPnv8n", "onwK4e9ZLuTAKqWW03F9", "CYw3kZ02Hs0563khs1Fj", "29vD33N1CtxCmqQRPOHJ"),
    *("cjVigY5qzO86Huf0OWal", "g5CIjZEefAph4nQFvHAz", "D38z5RcWu1voky8WS1ja", "JBFqnCBsd6RMkjVDRZzb"),
    *("zcAOhNBS3c14rBihAFp1", "SOYHLrjzK2X1ezoPC6cr", "ZQe5CZNOzWyzPSCn5a3c", "bVMeCyTHy58xNoL34h3p"),
    *("t0jbNlBVZ17f02VDIeMI", "Zlb1dXrM653N07WRdFW3", "TxGEqnHWrfWFTfGW9XjX", "TX3LPaxmHKxFdv7VOQHJ"),
    *("flq6f7yk4E4fJM5XTYuZ", "ODq5zmih8GrVes37Dizd", "5Q0t7uMcjvnagumLfvZi", "CwhRBWXzGAHq8TQ4Fs17"),
    *("wViXBPUzp2ZZixB1xQuM", "yoZ06aMxZJJ28mfd3POQ", "GBv7mTt0atIp3Br8iCZE", "bIHbv24MWmeRgasZH58o"),
)

# By name or pattern (`*` is any text). The first that fits counts.
FOREIGN_VOICES: Mapping[str, str] = {
    **_OPENAI,
    **_BASETEN,
    **dict.fromkeys(_ELEVENLABS_WOMEN, "female"),
    **dict.fromkeys(_ELEVENLABS_MEN, "male"),
    **{f"aura-*{man}-*": "male" for man in _DEEPGRAM_MEN},
    **{f"flux-{man}-*": "male" for man in _DEEPGRAM_MEN},
    # All others, and voices that are newer than this table.
    "aura-*": "female",
    "flux-*": "female",
}
