"""The gains that bring all voices of a checkpoint to one loudness."""

from __future__ import annotations

from cosyvoice.flow.stepper import FlowStepper
from cosyvoice.serving_config import ServingConfig
from cosyvoice.voice.loudness import gain_db, mel_loudness_lufs
from cosyvoice.voice.prompt import Prompt
from cosyvoice.voice.store import VoiceStore

# What a voice says so that its loudness can be estimated: 1 s of the prompt of each stored voice, or, where there is
# no stored voice, 4 s of its own prompt.
_TOKENS_A_VOICE = 25
_OWN_TOKENS = 100


class VoiceGains:
    """serving.json has the loudness of stored voices, measured. That of any other voice is estimated: the embedded
    model does not follow the loudness of a recording, so the recording tells nothing."""

    def __init__(self, serving: ServingConfig, store: VoiceStore, flow: FlowStepper) -> None:
        self._serving = serving
        self._store = store
        self._flow = flow

    def stored(self, name: str, prompt: Prompt) -> float | None:
        """In dB, of a voice of the checkpoint; None: its samples stay as they are."""
        target, known = self._serving.loudness_lufs, self._serving.voice_loudness_lufs
        return gain_db(known[name], target) if target is not None and name in known else self.other(prompt)

    def other(self, prompt: Prompt) -> float | None:
        """In dB, of a voice that only its prompt is known of. Takes about 0.1 s with the embedded checkpoint."""
        target = self._serving.loudness_lufs
        if target is None:
            return None
        said = self._said() or prompt.speech_tokens[:_OWN_TOKENS]
        if not said:
            return 0.0
        mel = self._flow.full(said, prompt.speech_tokens, prompt.mel, prompt.speaker, block_mask=True, finalize=True)
        return gain_db(mel_loudness_lufs(mel[0]) + self._serving.estimated_loudness_offset_lu, target)

    def _said(self) -> tuple[int, ...]:
        """From the middle of each prompt, where there is speech."""
        said: list[int] = []
        for voice in self._store.voices():
            if self._store.is_stored(voice):
                tokens = self._store.prepare(voice).speech_tokens
                start = max(0, (len(tokens) - _TOKENS_A_VOICE) // 2)
                said += tokens[start : start + _TOKENS_A_VOICE]
        return tuple(said)
