"""The acoustic process's voices: what a request speaks with, and what must be prepared for it first."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal

from cosyvoice.config import ModelConfig
from cosyvoice.errors import VoiceError
from cosyvoice.flow.stepper import FlowStepper
from cosyvoice.flow.voice import FlowVoice
from cosyvoice.frontend.tokenizer import Tokenizer
from cosyvoice.talker.layout import TalkerPrompt
from cosyvoice.voice.modes import Conditioning, ModeError, ModeInputError, check_instruction, conditioning, require_mode
from cosyvoice.voice.prompt import MAX_PROMPT_S, MAX_SOURCE_S, MIN_PROMPT_S, MIN_SOURCE_S, Prompt, flow_prompt
from cosyvoice.voice.prompt_cache import unpack_prompt
from cosyvoice.voice.recording import RecordingError, check_length
from cosyvoice.voice.store import VoiceStore
from rtserver.engine.acoustic.voice_gains import VoiceGains
from rtserver.engine.transcripts import Transcripts
from rtserver.ipc.engine import Open, VoiceInfo
from rtserver.ipc.preparing import PreparationKey, Prepare, Prepared, Recording
from rtserver.schedule.pace import Pace

RECORDING = "recording"  # the name of a voice that has none
TRANSCRIBED_MODES = ("sft", "zero_shot")  # the talker is told what the prompt says
# Prepared recordings in memory, of at most half a megabyte each.
MAX_RECORDED = 64
# A sequence's text and speech follow its prompt; the talker bounds them all together.
MAX_PROMPT_IDS = 1280
# What the way to the preparer holds: five minutes at 48 kHz.
MAX_RECORDING_BYTES = 30_000_000


@dataclass(frozen=True)
class SpeakingVoice:
    """A voice in one mode, ready to speak."""

    name: str
    conditioning: Conditioning
    # Before a whole text.
    talker: TalkerPrompt
    # Before text that still comes.
    streaming_talker: TalkerPrompt
    flow: FlowVoice
    # Of its samples; None: they stay as they are.
    gain_db: float | None = None

    def talker_prompt(self, *, streaming: bool) -> TalkerPrompt:
        return self.streaming_talker if streaming else self.talker


@dataclass(frozen=True)
class _Known:
    """A voice in memory. All modes share its flow prompt, and with it the keys and values computed from that."""

    name: str
    prompt: Prompt
    flow: FlowVoice
    gain_db: float | None


class Voices:
    """Voices of the catalogue are kept, those of recordings as long as they are among the last MAX_RECORDED used."""

    def __init__(self, config: ModelConfig, tokenizer: Tokenizer, store: VoiceStore, flow: FlowStepper) -> None:
        self.store = store
        self.first_hop_tokens = config.serving.first_hop_tokens  # may be set before the first voice is used
        self._config = config
        self._tokenizer = tokenizer
        self._flow = flow
        self._gains = VoiceGains(config.serving, store, flow)
        self._transcripts = Transcripts(config, tokenizer)
        self._catalogue: dict[str, _Known] = {}
        self._recorded: OrderedDict[str, _Known] = OrderedDict()  # by digest, the last used last

    def infos(self) -> list[VoiceInfo]:
        """The catalogue."""
        return [VoiceInfo(v.name, list(v.aliases), v.language, v.gender) for v in self.store.voices()]

    def check(self, request: Open) -> None:
        """Raises ModeError, ModeInputError, RecordingError or ValueError for what cannot be, whatever is prepared."""
        if request.prompt_audio is not None:
            self._require_cloning()
        mode = mode_of(request)
        require_mode(mode, self.store.modes)
        check_instruction(mode, request.instruct_text, self._config.serving)
        if mode == "zero_shot" and request.prompt_audio is not None and not request.prompt_text.strip():
            raise ModeInputError("mode zero_shot: expected prompt_text, what prompt_audio says; found none")
        if (mode == "vc") != (request.source_audio is not None):
            there = "none" if request.source_audio is None else "one"
            raise ModeInputError(f"mode {mode}: expected source_audio with mode vc and no other, found {there}")
        Pace(request.speed, request.target_s)
        if request.target_s is not None and request.streaming and mode != "vc":
            raise ValueError("target_s: expected a whole text, found one that is spoken while it still comes")
        for field, recording, min_s, max_s in (
            ("prompt_audio", request.prompt_audio, MIN_PROMPT_S, MAX_PROMPT_S),
            ("source_audio", request.source_audio, MIN_SOURCE_S, MAX_SOURCE_S),
        ):
            if recording is not None:
                _check_recording(field, recording, min_s, max_s)

    def missing(self, request: Open) -> list[Prepare]:
        """What must be prepared before `voice`, which takes seconds. Raises VoiceError for an unknown voice."""
        missing = []
        if request.prompt_audio is None:
            voice = self.store.resolve(request.voice, request.language)
            transcript = "" if self.store.is_stored(voice) else voice.transcript
            if not self.store.is_prepared(voice):
                missing.append(Prepare(PreparationKey("voice", voice.name), tenant=request.tenant))
        else:
            transcript = request.prompt_text
            if self._recording(request.prompt_audio.digest) is None:
                missing.append(_prepare("recording", request.prompt_audio, request.tenant))
        if mode_of(request) in TRANSCRIBED_MODES and not self._transcripts.is_known(transcript):
            missing.append(Prepare(PreparationKey("transcript", transcript), tenant=request.tenant))
        if request.source_audio is not None and request.source_pieces is None:
            missing.append(_prepare("source", request.source_audio, request.tenant))
        return missing

    def adopt(self, prepared: Prepared) -> None:
        """Takes the prompt of a recording, or a transcript. Raises ValueError for what is none."""
        if prepared.ids is not None:
            self._transcripts.keep(prepared.key.what, tuple(prepared.ids))
        if prepared.prompt is not None:
            self._keep(prepared.key.what, unpack_prompt(prepared.prompt))

    def voice(self, request: Open) -> SpeakingVoice:
        """The voice in the mode of the request; what is `missing` of a catalogue voice or a transcript is made here
        and now. Raises VoiceError when it cannot be."""
        if request.prompt_audio is None:
            known = self._stored(request.voice, request.language)
            prompt = known.prompt
        else:
            recorded = self._recording(request.prompt_audio.digest)
            if recorded is None:
                raise VoiceError("prompt_audio: expected a prepared recording, found none")
            known, prompt = recorded, dataclasses.replace(recorded.prompt, transcript=request.prompt_text)
        mode, serving = mode_of(request), self._config.serving
        if mode in TRANSCRIBED_MODES and prompt.text_ids is None and prompt.transcript.strip():
            prompt = dataclasses.replace(prompt, text_ids=self._transcripts.ids(prompt.transcript))
        c = conditioning(mode, prompt, self._config, self._tokenizer, request.instruct_text, self.first_hop_tokens)
        talker = c.talker or TalkerPrompt(())
        ids = len(talker.head) + len(talker.transcript) + len(talker.speech)
        if ids > MAX_PROMPT_IDS:
            raise ModeInputError(
                f"mode {mode}: expected instruction, transcript and prompt speech of at most {MAX_PROMPT_IDS} ids, "
                f"found {len(talker.head)}, {len(talker.transcript)} and {len(talker.speech)}"
            )
        # A bistream sequence lays out its prompt's speech first, with text beside it: tens of text ids that would
        # have to come before the first sound.
        prompted = mode != "sft" or serving.streaming_talker_prompt
        streaming = talker if prompted else TalkerPrompt(talker.head)
        return SpeakingVoice(known.name, c, talker, streaming, known.flow, known.gain_db)

    def _require_cloning(self) -> None:
        if not self.store.encoder.can_clone:
            raise ModeError(
                f"prompt_audio: expected a checkpoint that can clone voices, found {self._config.serving.name}, "
                f"which has voices of its own, in the modes {list(self.store.modes)}"
            )

    def _stored(self, name: str, language: str | None) -> _Known:
        voice = self.store.resolve(name, language)
        if voice.name not in self._catalogue:
            stored = self.store.is_stored(voice)
            self._catalogue[voice.name] = self._known(voice.name, self.store.prepare(voice), stored=stored)
        return self._catalogue[voice.name]

    def _recording(self, digest: str) -> _Known | None:
        """From memory or the disk cache."""
        if digest not in self._recorded:
            prompt = self.store.recorded(digest)
            if prompt is None:
                return None
            self._keep(digest, prompt)
        self._recorded.move_to_end(digest)
        return self._recorded[digest]

    def _keep(self, digest: str, prompt: Prompt) -> None:
        self._recorded[digest] = self._known(RECORDING, prompt, stored=False)
        self._recorded.move_to_end(digest)
        if len(self._recorded) > MAX_RECORDED:
            self._recorded.popitem(last=False)

    def _known(self, name: str, prompt: Prompt, *, stored: bool) -> _Known:
        config = self._config
        tokens, mel = flow_prompt(prompt, self.first_hop_tokens, config.flow.chunk_tokens, config.flow.lookahead_tokens)
        gain_db = self._gains.stored(name, prompt) if stored else self._gains.other(prompt)
        return _Known(name, prompt, self._flow.voice(tokens, mel, prompt.speaker), gain_db)


def mode_of(request: Open) -> str:
    """The mode, where sft with a recording means to speak like it."""
    if request.mode == "sft" and request.prompt_audio is not None:
        return "zero_shot" if request.prompt_text.strip() else "cross_lingual"
    return request.mode


def _prepare(kind: Literal["recording", "source"], recording: Recording, tenant: str) -> Prepare:
    return Prepare(PreparationKey(kind, recording.digest), recording, tenant)


def _check_recording(field: str, recording: Recording, min_s: float, max_s: float) -> None:
    try:
        check_length(recording.seconds, recording.sample_rate, min_s, max_s)
        size = round(recording.seconds * recording.sample_rate) * 2
        if size > MAX_RECORDING_BYTES:
            raise RecordingError(f"expected at most {MAX_RECORDING_BYTES} bytes of samples, found {size}")
    except RecordingError as error:
        raise RecordingError(f"{field}: {error}") from error
