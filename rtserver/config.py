"""The settings of the server.

Each has a default. The file given by `--config` overrides the defaults, and the command line overrides the file.
"""

from __future__ import annotations

import ipaddress
import re
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec

from rtserver.session.api_key import ApiKey, entries_of

DEFAULT_PORT = 8790
# Realtime utterances at once, where the settings name no number and no GPU's memory gives one.
DEFAULT_STREAMS = 32

# requests: HTTP requests under way, of every path that needs a caller.
# sockets: sessions, of a WebSocket or of an HTTP request that speaks.
# contexts: utterances that are open, of both classes.
# places: realtime utterances that have a place. batch: utterances of the class batch.
# reservations: conversations for which a place is kept.
# preparations: utterances that wait until their recordings are prepared.
# body_bytes: bodies of requests, and messages with recordings, while they are read and decoded.
# recording_bytes: samples of the recordings of open utterances.
# text_chars: text of open contexts, requests that wait on a socket for their turn, and recordings that it keeps.
# output_bytes: sound that is made and not sent.
HoldingKind = Literal[
    "requests", "sockets", "contexts", "places", "batch", "reservations", "preparations",
    "body_bytes", "recording_bytes", "text_chars", "output_bytes",
]  # fmt: skip
HOLDING_KINDS: frozenset[str] = frozenset(get_args(HoldingKind))
_AT_LEAST_ONE = (
    *("max_sockets", "max_batch", "max_contexts", "max_preparations"),
    *("max_body_bytes", "max_recording_bytes", "max_text_chars", "max_output_bytes"),
    *("messages_per_s", "caller_messages_per_s", "message_bytes", "answer_bytes"),
    *("text_chars", "contexts", "upload_bytes"),
)
_AT_LEAST_ZERO = (
    "step_ms",
    "max_streams",
    "kv_mib",
    "talker_kv_mib",
    "first_hop_tokens",
    "voice_cache_mib",
    "voice_cache_days",
)
_SECONDS = (
    *("idle_s", "rate_limit_s", "place_idle_s", "context_idle_s", "turn_idle_s", "reservation_idle_s"),
    *("head_s", "body_s", "keepalive_s", "slow_reader_s", "drain_s", "recovery_s", "ttfa_s"),
)


_ORIGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/\s]+")
_HOST = re.compile(r"[^/:\s\[\]]+|\[[0-9A-Fa-f:.]+\]")


class ConfigError(ValueError):
    """A setting cannot be used. The message says what to do."""


@dataclass(frozen=True)
class ServerConfig:
    """All settings. The keys of the TOML file have the same names. docs/settings.md lists them for operators."""

    # Address to listen on. The default is reached from this machine only. --host
    host: str = "127.0.0.1"
    # Port to listen on; 0 takes a free one. --port
    port: int = DEFAULT_PORT
    # Model directory, or "nano" for the embedded voice. --model
    model: str = "nano"
    # Directory for prepared models and voices; None for one in $XDG_CACHE_HOME or ~/.cache. --cache-dir
    cache_dir: str | None = None
    # "local" starts the processes that speak. "fake" makes tones, to test clients and the front alone. --engine
    engine: Literal["local", "fake"] = "local"
    # Languages that are loaded before the server is ready; another is loaded when its first text comes. --language
    languages: list[str] = field(default_factory=lambda: ["en", "zh"])
    # File of a pronunciation dictionary, one JSON object a line (docs/lexicon.md); None for none. --lexicon
    lexicon: str | None = None
    # Voices that are prepared before the server is ready, each in every one of `languages`; another is prepared when it
    # is first asked for. --warm-voice
    warm_voices: list[str] = field(default_factory=lambda: ["default"])
    # Further names of voices, for clients that ask for those of another service. A name with `*` stands for all names
    # like it. --voice-alias
    voice_aliases: dict[str, str] = field(default_factory=dict)
    # Every client must send one of these keys; without keys no client needs one. An entry is a key, or a key and its
    # scopes (docs/operations.md). --api-key, or RTSERVER_API_KEY in the environment.
    api_keys: list[str] = field(default_factory=list)
    # File of more keys, one a line; - for standard input. --api-key-file
    api_key_file: str | None = None
    # Permits a host that other machines can reach although there are no keys. --allow-anonymous
    allow_anonymous: bool = False
    # Names by which clients may call a server that needs no key, beside those of this machine. --allowed-hosts
    allowed_hosts: list[str] = field(default_factory=list)
    # Origins of web pages of other hosts that may use the server, as https://example.com; "*" for all.
    # --allowed-origins
    allowed_origins: list[str] = field(default_factory=list)
    # Addresses or networks of proxies whose X-Forwarded-For is believed. --trusted-proxies
    trusted_proxies: list[str] = field(default_factory=list)
    # PEM file with the certificate chain; None for no TLS. Needs `tls_key`. --tls-cert
    tls_cert: str | None = None
    # PEM file with the certificate's private key. --tls-key
    tls_key: str | None = None
    # Sockets and requests that speak at once, and HTTP requests of all paths at once; more are refused. --max-sockets
    max_sockets: int = 1000
    # Realtime utterances that are open at once; more are refused. 0: what a GPU's memory has room for, at most 128; 32
    # on a CPU. --max-streams
    max_streams: int = 0
    # Utterances of the class batch that are open at once; more are refused. They take no place of realtime ones.
    # --max-batch
    max_batch: int = 32
    # Contexts that are open at once, on all sockets.
    max_contexts: int = 4000
    # Utterances at once whose recordings are being prepared.
    max_preparations: int = 32
    # Bytes of all bodies of requests that are read and decoded at once.
    max_body_bytes: int = 256 << 20
    # Bytes of the samples of all recordings of open utterances.
    max_recording_bytes: int = 1 << 30
    # Characters of all text of open contexts, and of requests that wait for their turn on a socket.
    max_text_chars: int = 50_000_000
    # Bytes of all sound that waits to be sent.
    max_output_bytes: int = 1 << 30
    # What one caller may hold of each kind (docs/operations.md), where that is less than the server's own limit.
    caller_limits: dict[str, int] = field(default_factory=dict)
    # The part of each limit that one address may hold, if it is of another machine and has no key.
    stranger_share: float = 0.25
    # Refuses an utterance that would be late or would make others stutter; False accepts all. --no-admission
    admission: bool = True
    # Seconds; with `admission`, an utterance is refused if its first sound is predicted to come later. --ttfa-s
    ttfa_s: float = 3.0
    # Speech tokens before the first sound; 0 chooses by the speed of this machine. --first-hop-tokens
    first_hop_tokens: int = 0
    # MiB of memory for the flow's keys and values; 0 for a share of the machine's memory, or what a GPU has left.
    # --kv-mib
    kv_mib: int = 0
    # Where the networks run: "auto" takes a GPU if there is one. --device
    device: Literal["auto", "cpu", "cuda"] = "auto"
    # The share of a GPU's memory that the server may use. --gpu-memory-share
    gpu_memory_share: float = 0.95
    # What the talker calculates in. "auto": bfloat16 on a GPU that has it, else float32. --talker-dtype
    talker_dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    # What the flow calculates in. "auto": as the talker's; on a CPU that has bfloat16 it is measured which is faster.
    # --flow-dtype
    flow_dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    # How the flow keeps its memory and packs its steps. "auto": in pages on a GPU, in blocks on a CPU. --flow-form
    flow_form: Literal["auto", "blocks", "pages"] = "auto"
    # MiB of memory for the talker's keys and values; 0 for 256, or what the streams of a GPU need. --talker-kv-mib
    talker_kv_mib: int = 0
    # Whether vLLM captures CUDA graphs. They take memory and some seconds at the start; steps are faster.
    # --no-talker-graphs
    talker_graphs: bool = True
    # Whether a GPU may round float32 products to TF32. --tf32
    tf32: bool = False
    # Milliseconds that an Euler step of several streams may take: a newcomer waits for its end, and on a GPU the talker
    # too. 0 for 10 on a GPU, and no limit on a CPU. --step-ms
    step_ms: float = 0.0
    # Messages a second that are read from one socket; after silence ten times as many at once. A message counts once
    # for every 16 KiB.
    messages_per_s: int = 500
    # Messages a second that are read from all sockets of one caller; after silence four times as many at once.
    caller_messages_per_s: int = 5000
    # Seconds for which a socket that sends too much is read slowly; then it is closed.
    rate_limit_s: float = 10.0
    # Bytes of one message of a client.
    message_bytes: int = 1 << 20
    # Bytes of sound in one whole answer of POST /v1/tts, before it is encoded. A stream has no such limit.
    answer_bytes: int = 128 << 20
    # Characters of text in one context.
    text_chars: int = 20_000
    # Contexts that one socket may have open at once.
    contexts: int = 32
    # Seconds after which a context that waits for text gives its place back. It takes one again with its next text.
    place_idle_s: float = 5.0
    # Seconds after which a context that never had text is ended (idle_timeout).
    context_idle_s: float = 60.0
    # Seconds after which a context is ended that has had text, but since then neither text nor sound (idle_timeout).
    turn_idle_s: float = 300.0
    # Seconds after which a conversation that says nothing loses the place that is kept for it (?reserve=). It gets one
    # again when it speaks, if there is one.
    reservation_idle_s: float = 300.0
    # Seconds after which a socket without contexts and messages is closed; 0 for never.
    idle_s: float = 0.0
    # Seconds in which the head of a request must come, once it has begun.
    head_s: float = 10.0
    # Seconds in which the body of a request must come; a large one has a second more for every 32 KiB.
    body_s: float = 30.0
    # Seconds for which a connection without a request is kept open.
    keepalive_s: float = 75.0
    # Seconds for which sending may wait for a client that does not read; then its socket is closed.
    slow_reader_s: float = 30.0
    # Seconds that open utterances have to finish after SIGTERM. --drain-s
    drain_s: float = 30.0
    # Seconds that an utterance waits for a process of the engine that has died and is started again.
    recovery_s: float = 30.0
    # Seconds after which an utterance fails when a piece of its work is not done, though the process works for others.
    stalled_s: float = 120.0
    # Bytes of one recording that a client sends.
    upload_bytes: int = 20_000_000
    # Days after its last use that the voice of a client's recording stays on disk; 0 for not at all.
    voice_cache_days: float = 30.0
    # MiB of such voices; those that were not used for longest go first.
    voice_cache_mib: int = 128
    # Folders on this machine in which requests may name recordings (prompt_wav_path); empty for none. --audio-folder
    audio_folders: list[str] = field(default_factory=list)
    # Shows what the engine's processes print. --verbose
    verbose: bool = False
    # Format of the lines on standard error: text or json. --log-format
    log_format: Literal["text", "json"] = "text"

    @classmethod
    def load(cls, path: Path | None, overrides: Mapping[str, Any]) -> ServerConfig:
        """Reads the file, if there is one. `overrides` (the command line's) win over it. Raises ConfigError."""
        values: dict[str, Any] = {}
        if path is not None:
            try:
                values = tomllib.loads(path.read_text())
            except OSError as error:
                raise ConfigError(f"{path}: {error.strerror or error}") from error
            except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
                raise ConfigError(f"{path}: expected TOML, found {error}") from error
        known = {f.name for f in fields(cls)}
        if unknown := sorted(values.keys() - known):
            raise ConfigError(f"{path}: unknown settings {unknown}; expected some of {sorted(known)}")
        values |= overrides
        try:
            config = msgspec.convert(values, cls)
        except msgspec.ValidationError as error:
            raise ConfigError(f"{path or 'settings'}: {error}") from error
        if config.api_key_file is not None:
            config = replace(config, api_keys=[*config.api_keys, *_keys_in(config.api_key_file)])
        config.check()
        return config

    def check(self) -> None:
        """Raises ConfigError for a value out of its range, and for settings that do not fit together."""
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"port: expected 0 to 65535, found {self.port}")
        for name in _AT_LEAST_ONE:
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}: expected at least 1, found {getattr(self, name)}")
        for name in _AT_LEAST_ZERO:
            if getattr(self, name) < 0:
                raise ConfigError(f"{name}: expected 0 or more, found {getattr(self, name)}")
        for name in _SECONDS:
            if not 0 <= getattr(self, name) < float("inf"):
                raise ConfigError(f"{name}: expected 0 or more seconds, found {getattr(self, name)}")
        if not 1 <= self.stalled_s < float("inf"):
            raise ConfigError(f"stalled_s: expected 1 or more seconds, found {self.stalled_s}")
        for name in ("stranger_share", "gpu_memory_share"):
            if not 0 < getattr(self, name) <= 1:
                raise ConfigError(f"{name}: expected above 0 and at most 1, found {getattr(self, name)}")
        if unknown := sorted(self.caller_limits.keys() - HOLDING_KINDS):
            raise ConfigError(f"caller_limits: unknown kinds {unknown}; expected some of {sorted(HOLDING_KINDS)}")
        if self.max_body_bytes < self.request_bytes:
            raise ConfigError(
                f"max_body_bytes: expected room for one request ({self.request_bytes}), found {self.max_body_bytes}"
            )
        if few := [f"{kind} = {most}" for kind, most in self.caller_limits.items() if most < 1]:
            raise ConfigError(f"caller_limits: expected at least 1, found {few[0]}")
        if bad := [language for language in self.languages if language not in ("en", "zh")]:
            raise ConfigError(f"languages: expected en or zh, found {bad[0]!r}")
        if bad := [name for pair in self.voice_aliases.items() for name in pair if not name.strip()]:
            raise ConfigError(f"voice_aliases: expected names, found {bad[0]!r}")
        for number, entry in enumerate(self.api_keys, 1):
            try:
                ApiKey.parse(entry)
            except ValueError as error:
                raise ConfigError(f"api_keys: key {number}: {error}") from None
        for origin in self.allowed_origins:
            if origin not in ("*", "null") and not _ORIGIN.fullmatch(origin):
                raise ConfigError(f"allowed_origins: expected one as https://example.com, or *, found {origin!r}")
        for host in self.allowed_hosts:
            if not _HOST.fullmatch(host):
                raise ConfigError(f"allowed_hosts: expected a name without a port, as tts.example.com, found {host!r}")
        for network in self.trusted_proxies:
            try:
                ipaddress.ip_network(network)
            except ValueError as error:
                raise ConfigError(f"trusted_proxies: expected an address or a network: {error}") from None
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ConfigError("tls_cert and tls_key: expected both or neither")
        if not self.api_keys and not self.allow_anonymous and not is_loopback(self.host):
            raise ConfigError(
                f"{self.host} can be reached from other machines: give keys that clients must send (--api-key-file "
                "FILE, or api_keys in the settings), or --allow-anonymous to let everyone in"
            )

    @property
    def request_bytes(self) -> int:
        """The largest body of an HTTP request. It may hold two recordings. Base64 makes each of them a third longer."""
        return 3 * self.upload_bytes + self.message_bytes

    @property
    def streams(self) -> int:
        """`max_streams`, or the number for a CPU."""
        return self.max_streams or DEFAULT_STREAMS

    def on(self, port: int) -> ServerConfig:
        """The same settings with another port."""
        return replace(self, port=port)


def _keys_in(path: str) -> list[str]:
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text("utf-8")
    except OSError as error:
        raise ConfigError(f"api_key_file {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"api_key_file {path}: expected UTF-8, found other bytes") from error
    keys = list(entries_of(text))
    if not keys:
        raise ConfigError(f"api_key_file {path}: expected a key on each line, found none")
    return keys


def is_loopback(host: str) -> bool:
    """Whether `host` is an address that only this machine can reach."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
