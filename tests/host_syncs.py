"""Counts what would make the host wait for a GPU, without one: models whose tensors are on PyTorch's device `meta`.

That device has shapes and no numbers. So each copy between it and the CPU is seen, and whatever needs a number of it on
the host fails, or counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, Self

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

META, _CPU = torch.device("meta"), torch.device("cpu")
# They make tensors of numbers of the host.
_UPLOADS = (torch.tensor, torch.as_tensor, Tensor.new_tensor)
# What `to` and `cpu` are for a dispatch mode, in and outside of inference mode.
_CONVERSIONS = (torch.ops.aten._to_copy, torch.ops.aten.to)


class HostSyncs:
    """While it is entered. A download gives zeros."""

    def __init__(self) -> None:
        # Copies from the host to the device, and back.
        self.uploads = 0
        self.downloads = 0
        # Operations on the device, views too.
        self.operations = 0
        self._entered = ExitStack()

    def __enter__(self) -> Self:
        self._entered.enter_context(_Functions(self))
        self._entered.enter_context(_Operations(self))
        return self

    def __exit__(self, *error: object) -> None:
        self._entered.close()


class _Functions(TorchFunctionMode):
    """Sees the functions that take numbers of the host. They are no operations."""

    def __init__(self, syncs: HostSyncs) -> None:
        super().__init__()
        self._syncs = syncs

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        if func in _UPLOADS and made.device == META:
            self._syncs.uploads += 1
        return made


class _Operations(TorchDispatchMode):
    """Sees the operations on tensors."""

    def __init__(self, syncs: HostSyncs) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._syncs = syncs

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        on_device = [tensor for tensor in tensors if tensor.device == META]
        self._syncs.operations += bool(on_device)
        if func is torch.ops.aten._local_scalar_dense.default and on_device:
            self._syncs.downloads += 1
            return 0
        devices = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.device)]
        if func.overloadpacket in _CONVERSIONS and on_device and _CPU in devices:
            self._syncs.downloads += 1
            return torch.zeros(args[0].shape, dtype=kwargs.get("dtype") or args[0].dtype)
        # A tensor of one number is passed to an operation as a number.
        of_host = any(tensor.device == _CPU and (tensor.dim() > 0 or not on_device) for tensor in tensors)
        self._syncs.uploads += of_host and (bool(on_device) or META in devices)
        return func(*args, **kwargs)
