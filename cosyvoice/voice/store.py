"""The voices of one checkpoint: finds them by name, and prepares the prompt of each once."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

from cosyvoice.config import ModelConfig
from cosyvoice.errors import CheckpointError, VoiceError
from cosyvoice.models import DATA, default_cache_dir
from cosyvoice.voice.catalogue import Catalogue, Voice, read_voices
from cosyvoice.voice.keeping import RECORDINGS, KeepingLimits
from cosyvoice.voice.prompt import Prompt, PromptEncoder
from cosyvoice.voice.prompt_cache import PromptCache
from cosyvoice.voice.recording import Wave, read_wave
from cosyvoice.voice.spk2info import VOICES_FILE, load_spk2info

SHIPPED_VOICES = DATA / "voices"

# Part of the key of a cached prompt. Raise it when the same recording should give another prompt.
_CACHE_VERSION = "1"


class VoiceStore:
    """Shipped voices, the checkpoint's own voices (spk2info.pt) and custom voices, with their prompts.

    A voice of the checkpoint replaces the shipped voice of the same name; a custom voice replaces both. Several threads
    may use a store. Preparing a voice takes seconds, so do not call it on an event loop.

    modes: the modes of serving.json that work with the files that the checkpoint has.
    """

    def __init__(
        self,
        config: ModelConfig,
        encoder: PromptEncoder,
        voices_dir: Path | None = None,
        cache_dir: Path | None = None,
        limits: KeepingLimits | None = None,
    ) -> None:
        """voices_dir: a directory with a voices.json and its recordings, the custom voices. cache_dir: None: the
        default cache of the platform. limits: for prompts of users' recordings.

        Raises VoiceError when the custom voices cannot be used, CheckpointError when spk2info.pt or the default voice
        cannot be used.
        """
        self.encoder = encoder
        cache_dir = cache_dir or default_cache_dir()
        self._cache = PromptCache(cache_dir / "voices")
        self._recorded = PromptCache(cache_dir / RECORDINGS, limits or KeepingLimits())
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
        """The names of the voices, without aliases."""
        return self._catalogue.names()

    def voices(self) -> list[Voice]:
        """All voices, in the order of their names."""
        return self._catalogue.voices()

    def resolve(self, name: str, language: str | None = None) -> Voice:
        """The voice called `name` (or an alias, `female`, `male`, `default`) for a text of `language`.

        Raises VoiceError, which suggests the nearest name, when there is no such voice.
        """
        return self._catalogue.resolve(name, language)

    def prepare(self, voice: Voice) -> Prompt:
        """The voice's prompt, from memory, from spk2info.pt or from the disk cache. Otherwise its recording is encoded.

        Raises VoiceError when the recording cannot be used or the checkpoint cannot encode it.
        """
        with self._lock:
            if voice not in self._prompts:
                self._prompts[voice] = self._load(voice)
            return self._prompts[voice]

    def is_prepared(self, voice: Voice) -> bool:
        """Whether `prepare` has nothing to encode, so that it returns the prompt, or fails, at once."""
        if voice in self._prompts or self.is_stored(voice) or voice.wav is None:
            return True
        try:
            return self._key(*read_wave(voice.wav), voice.transcript) in self._cache
        except VoiceError:
            return True

    def recorded(self, digest: str) -> Prompt | None:
        """The prompt of a user's recording, without transcript. None when it is not in the disk cache.

        digest: of the samples and their rate. Raises VoiceError when the checkpoint cannot clone voices.
        """
        return self._recorded.get(self._recorded_key(digest))

    def prepare_recorded(self, digest: str, wave: Wave, rate_hz: int) -> Prompt:
        """The same; the recording is encoded when its prompt is not in the cache. Raises like PromptEncoder.encode."""
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
        """Whether the voice's prompt comes from the checkpoint (spk2info.pt)."""
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
