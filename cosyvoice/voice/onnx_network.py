"""An ONNX file of a checkpoint, opened at first use and run on the CPU."""

from __future__ import annotations

import hashlib
import threading
from functools import cached_property
from pathlib import Path
from typing import Any

import onnxruntime
from numpy.typing import NDArray

from cosyvoice.errors import CheckpointError


class OnnxNetwork:
    """One network. Several threads may run it. `threads` is the number of cores that one run may use."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        self.path = path
        self._threads = threads
        self._lock = threading.Lock()
        self._session: Any = None

    def run(self, *inputs: NDArray[Any]) -> NDArray[Any]:
        """The first output. Inputs are given by position, because exports give them different names.

        Raises CheckpointError when the file is missing, corrupt, or does not take these inputs.
        """
        session = self._open()
        names = [node.name for node in session.get_inputs()]
        if len(names) != len(inputs):
            raise CheckpointError(f"{self.path}: expected a network with {len(inputs)} inputs, found {names}")
        try:
            output: NDArray[Any] = session.run(None, dict(zip(names, inputs)))[0]
        except Exception as error:  # onnxruntime's errors have no common base
            raise CheckpointError(f"{self.path}: expected a network that runs, found {error}") from error
        return output

    @cached_property
    def sha256(self) -> bytes:
        """Digest of the file's contents."""
        self._require_file()
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()

    def _open(self) -> Any:
        with self._lock:
            if self._session is None:
                self._require_file()
                options = onnxruntime.SessionOptions()
                options.intra_op_num_threads = self._threads
                options.inter_op_num_threads = 1
                options.log_severity_level = 3  # errors only, which are raised as well
                try:
                    self._session = onnxruntime.InferenceSession(
                        str(self.path), options, providers=["CPUExecutionProvider"]
                    )
                except Exception as error:
                    raise CheckpointError(f"{self.path}: expected an ONNX network, found {error}") from error
            return self._session

    def _require_file(self) -> None:
        if not self.path.is_file():
            raise CheckpointError(f"{self.path}: expected an ONNX network, found no such file")
