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

# Qwen's voices as its cloud names them. They are those of Qwen3-TTS and some more.
_QWEN = {
    **dict.fromkeys(("Cherry", "Serena", "Chelsie", "Momo", "Vivian", "Maia", "Bella", "Jennifer"), "female"),
    **dict.fromkeys(("Katerina", "Mia", "Bellona", "Bunny", "Nini", "Ebona", "Seren", "Stella", "Sonrisa"), "female"),
    **dict.fromkeys(("Sohee", "Ono Anna", "Jada", "Sunny", "Kiki"), "female"),
    **dict.fromkeys(("Ethan", "Moon", "Kai", "Nofish", "Ryan", "Aiden", "Eldric Sage", "Mochi", "Vincent"), "male"),
    **dict.fromkeys(("Neil", "Arthur", "Pip", "Bodega", "Alek", "Dolce", "Lenn", "Emilien", "Andre"), "male"),
    **dict.fromkeys(("Radio Gol", "Dylan", "Li", "Marcus", "Roy", "Peter", "Eric", "Rocky"), "male"),
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

# The men among Cartesia's voices that documents of agents name: Kyle, Kiefer, Ronald, Blake, the Barbershop Man, the
# Nonfiction Man and the Newsman. All other ids of its form are taken for women's.
_CARTESIA_MEN = (
    "c961b81c-a935-4c17-bfb3-ba2239de8c2f",
    "228fca29-3a0a-435c-8728-5cb483251068",
    "5ee9feff-1265-424a-9d7f-8e4d431a12c7",
    "a167e0f3-df7e-4d52-a9c3-f949145efdab",
    "a0e99841-438c-4a64-b679-ae501e7d6091",
    "79f8b5fb-2cc8-479a-80df-29f7a7cf1a3e",
    "d46abd1d-2d02-43e8-819f-51fb652c1c61",
)
_UUID = "-".join("[0-9a-f]" * digits for digits in (8, 4, 4, 4, 12))

# The men among the voices of CosyVoice's cloud service, which are named as longanyang or longcheng_v2.
_COSYVOICE_MEN = (
    *("longanyang", "longanyue", "longcheng", "longfei", "longhan", "longhao", "longjielidou", "longlaobo"),
    *("longlaotie", "longnan", "longsanshu", "longshange", "longshu", "longshuo", "longtian", "longxiang"),
    *("longxiu", "longze", "longzhe"),
)

# By name or pattern (`*` is any text). The first that fits counts.
FOREIGN_VOICES: Mapping[str, str] = {
    **_OPENAI,
    **_BASETEN,
    **_QWEN,
    **dict.fromkeys(_ELEVENLABS_WOMEN, "female"),
    **dict.fromkeys(_ELEVENLABS_MEN, "male"),
    **dict.fromkeys(_CARTESIA_MEN, "male"),
    **{name: "male" for man in _COSYVOICE_MEN for name in (man, f"{man}-*")},
    **{f"aura-*{man}-*": "male" for man in _DEEPGRAM_MEN},
    **{f"flux-{man}-*": "male" for man in _DEEPGRAM_MEN},
    # All others, and voices that are newer than this table.
    "long*": "female",
    "loong*": "female",
    "aura-*": "female",
    "flux-*": "female",
    _UUID: "female",
}
