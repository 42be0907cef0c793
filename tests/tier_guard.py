"""Holds each test to its tier: one that starts a process or loads a model where its tier may not is an error."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import Any

from tiers import TIERS, Tier, marker

# Python reports these events when a process is started: by subprocess, asyncio, os, or multiprocessing that forks.
_STARTS_A_PROCESS = {"subprocess.Popen", "os.posix_spawn", "os.fork", "os.forkpty", "os.system"}
# A test that imports these runs a model.
_MODEL_PACKAGES = {"vllm"}
# How weights are loaded. The first argument is the file or its content.
_LOADERS = [("safetensors.torch", "safe_open"), ("torch", "load"), ("onnxruntime", "InferenceSession")]
# A smaller file is no model: it has a few tensors that a test wrote or compares with.
MODEL_BYTES = 1 << 20


class TierError(OSError):
    """A test does something that its tier may not do.

    It is an OSError, because code expects one when a process cannot be started. With another error it might wait for
    the process until the test's time is up.
    """


class TierGuard:
    """Watches this process. There is only one, because Python's audit hooks cannot be removed."""

    def __init__(self) -> None:
        self._tier: Tier | None = None
        self._name = ""
        self._errors: list[str] = []
        sys.addaudithook(self._on_event)

    def begin(self, tier: str) -> None:
        """A test of this tier begins."""
        self._tier, self._name = TIERS[tier], tier
        self._errors = []
        for module, attribute in _LOADERS:
            if module in sys.modules:
                self._watch(sys.modules[module], attribute)

    def end(self) -> None:
        """The test is over. Between tests everything is allowed."""
        self._tier = None

    def errors(self) -> list[str]:
        """The violations since the last call. The code under test may have swallowed a TierError."""
        errors, self._errors = self._errors, []
        return errors

    def _on_event(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._tier is None:
            return
        if event in _STARTS_A_PROCESS and not self._tier.starts_processes:
            command = arguments[1] if len(arguments) > 1 else event
            self._refuse(f"starts a process ({command})", "engine")
        elif event == "import" and arguments[0] in _MODEL_PACKAGES and not self._tier.loads_weights:
            self._refuse(f"imports {arguments[0]}", "model")

    def _watch(self, module: object, attribute: str) -> None:
        """Puts a check in front of the module's function, or of the constructor of its class, once."""
        owner, name = module, attribute
        if isinstance(getattr(module, attribute), type) and attribute == "InferenceSession":
            owner, name = getattr(module, attribute), "__init__"
        found: Callable[..., Any] = getattr(owner, name)
        if not hasattr(found, "watched_by"):

            @functools.wraps(found)
            def checked(*arguments: Any, **named: Any) -> Any:
                self._on_load(arguments[-1] if name == "__init__" else arguments[0])
                return found(*arguments, **named)

            checked.watched_by = self  # type: ignore[attr-defined]
            setattr(owner, name, checked)

    def _on_load(self, source: Any) -> None:
        if self._tier is None or self._tier.loads_weights:
            return
        if isinstance(source, str | os.PathLike):
            size_bytes = os.stat(source).st_size if os.path.exists(source) else 0
            what = os.fspath(source)
        else:
            size_bytes = len(source) if isinstance(source, bytes) else 0
            what = "from memory"
        # A model inside a package does not count: hibari's network for unknown words belongs to reading text.
        if size_bytes > MODEL_BYTES and "site-packages" not in what:
            self._refuse(f"loads a model ({what})", "model")

    def _refuse(self, what: str, wanted: str) -> None:
        error = f"a test of the tier {self._name!r} {what}: mark it `@pytest.mark.{marker(wanted)}`"
        self._errors.append(error)
        raise TierError(error)
