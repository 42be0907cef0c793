"""The voices of one checkpoint: found by name and prepared as prompts, once."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

from cosyvoice.config import ModelConfig
from cosyvoice.errors import CheckpointError, VoiceError
from cosyvoice.models import DATA, default_cache_dir
from cosyvoice.voice.catalogue import Catalogue, Voice, read_voices
from cosyvoice.voice.prompt import Prompt, PromptEncoder
from cosyvoice.voice.prompt_cache import PromptCache
from cosyvoice.voice.recording import Wave, read_wave
from cosyvoice.voice.spk2info import VOICES_FILE, load_spk2info

SHIPPED_VOICES = DATA / "voices"

# Part of a cached prompt's key: raise it when the same recording is to give another prompt.
_CACHE_VERSION = "1"
# Prompts of users' recordings that are kept on disk, of at most half a megabyte each.
_MAX_RECORDED = 256


class VoiceStore:
    """Shipped voices, the checkpoint's own (spk2info.pt) and custom ones, and their prompts.

    A voice of the checkpoint replaces the shipped recording of its name, a custom one both. Safe to use from
    several threads; preparing takes seconds, so callers keep it off their event loop.

    modes: what the checkpoint can do, of what serving.json says, with the files it has.
    """

    def __init__(
        self,
        config: ModelConfig,
        encoder: PromptEncoder,
        voices_dir: Path | None = None,
        cache_dir: Path | None = None,
    ) -> None:
        """`voices_dir` holds a voices.json and its recordings; `cache_dir` None: the platform's.

        Raises VoiceError for unusable custom voices, CheckpointError for an unusable spk2info.pt or default voice.
        """
        self.encoder = encoder
        cache_dir = cache_dir or default_cache_dir()
        self._cache = PromptCache(cache_dir / "voices")
        self._recorded = PromptCache(cache_dir / "recordings", _MAX_RECORDED)
        self._stored = load_spk2info(config.directory / VOICES_FILE, config.talker.speech_tokens)
        shipped = read_voices(SHIPPED_VOICES)
        custom = read_voices(voices_dir) if voices_dir else []
        if custom and not encoder.can_clone:
            raise VoiceError(
                f"{voices_dir}: expected a checkpoint that can clone voices, "
                f"found {config.directory} without campplus.onnx"
            )
        self._custom = {voice.name for voice in custom}
        described = {voice.name for voice in shipped}
        stored = [Voice(name=name) for name in self._stored if name not in described]
        try:
            self._catalogue = Catalogue([*shipped, *stored, *custom], config.serving.default_voice)
        except VoiceError as error:
            raise CheckpointError(f"{config.directory / 'serving.json'}: {error}") from error
        self.modes = self._available_modes(config.serving.modes)
        self._lock = threading.Lock()
        self._prompts: dict[Voice, Prompt] = {}

    def names(self) -> list[str]:
        """The voices' names, without aliases."""
        return self._catalogue.names()

    def voices(self) -> list[Voice]:
        """All voices, in the order of their names."""
        return self._catalogue.voices()

    def resolve(self, name: str, language: str | None = None) -> Voice:
        """The voice called `name` (or an alias, `female`, `male`, `default`) for a text of `language`.

        Raises VoiceError naming the nearest voice when there is none.
        """
        return self._catalogue.resolve(name, language)

    def prepare(self, voice: Voice) -> Prompt:
        """The voice's prompt: from memory, spk2info.pt or the disk cache, else encoded from its recording.

        Raises VoiceError when the recording or the checkpoint cannot be used for that.
        """
        with self._lock:
            if voice not in self._prompts:
                self._prompts[voice] = self._load(voice)
            return self._prompts[voice]

    def is_prepared(self, voice: Voice) -> bool:
        """Whether `prepare` has nothing to encode: it gives the prompt, or its error, at once."""
        if voice in self._prompts or self.is_stored(voice) or voice.wav is None:
            return True
        try:
            return self._key(*read_wave(voice.wav), voice.transcript) in self._cache
        except VoiceError:
            return True

    def recorded(self, digest: str) -> Prompt | None:
        """The prompt of a user's recording, without transcript; None when it is not in the disk cache.

        `digest` stands for the samples and their rate. Raises VoiceError when the checkpoint cannot clone voices.
        """
        return self._recorded.get(self._recorded_key(digest))

    def prepare_recorded(self, digest: str, wave: Wave, rate_hz: int) -> Prompt:
        """The same, encoded if it must be. Raises like PromptEncoder.encode."""
        prompt = self.recorded(digest)
        if prompt is None:
            prompt = self.encoder.encode(wave, rate_hz, "")
            self._recorded.put(self._recorded_key(digest), prompt)
        return prompt

    def _available_modes(self, modes: tuple[str, ...]) -> tuple[str, ...]:
        prompted = self.encoder.can_clone or any(prompt.speech_tokens for prompt in self._stored.values())
        can = dict.fromkeys(("zero_shot", "cross_lingual", "instruct"), prompted)
        can["sft"] = prompted or bool(self._stored)
        can["vc"] = prompted and self.encoder.can_tokenize
        return tuple(mode for mode in modes if can.get(mode, False))

    def _load(self, voice: Voice) -> Prompt:
        if self.is_stored(voice):
            return self._stored[voice.name]
        if voice.wav is None:
            raise VoiceError(f"voice {voice.name}: expected a recording, found none")
        try:
            return self._encode(voice.wav, voice.transcript)
        except VoiceError as error:
            raise VoiceError(f"voice {voice.name}: {error}") from error

    def is_stored(self, voice: Voice) -> bool:
        """Whether its prompt is the checkpoint's own (spk2info.pt)."""
        return voice.name in self._stored and voice.name not in self._custom

    def _key(self, wave: Wave, rate_hz: int, transcript: str) -> str:
        digest = hashlib.sha256(_CACHE_VERSION.encode() + self.encoder.fingerprint())
        digest.update(f"{rate_hz} {len(transcript)} {transcript}".encode() + wave.tobytes())
        return digest.hexdigest()

    def _recorded_key(self, digest: str) -> str:
        return hashlib.sha256(_CACHE_VERSION.encode() + self.encoder.fingerprint() + digest.encode()).hexdigest()

    def _encode(self, wav: Path, transcript: str) -> Prompt:
        wave, rate_hz = read_wave(wav)
        key = self._key(wave, rate_hz, transcript)
        prompt = self._cache.get(key)
        if prompt is None:
            prompt = self.encoder.encode(wave, rate_hz, transcript)
            self._cache.put(key, prompt)
        return prompt
