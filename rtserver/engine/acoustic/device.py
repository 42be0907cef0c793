"""The device of flow and vocoder: how it rounds, and how much of its memory may be taken."""

from __future__ import annotations

import os

import torch

from cosyvoice.graphs import Capture, cuda_capture
from rtserver.engine.acoustic.stopwatch import DeviceStopwatch, HostStopwatch, Stopwatch
from rtserver.schedule.first_hop import TalkerPace

# Shares that keys and values take when the options name no number: of what a GPU has free, and of a CPU's memory, which
# is taken as it is filled.
_GPU_SHARE, _CPU_SHARE = 0.6, 0.25
# How fast the talker is with a stream that is alone. It is not measured here: the talker may start later, and the first
# hop is chosen before any voice is prepared. A CPU's was measured by `python -m bench.load.first_stages`, with the
# embedded voice on two Intel cores at 2.8 GHz; a GPU's is an estimate.
_CPU_PACE, _GPU_PACE = TalkerPace(token_s=0.0041, quantum_s=0.076), TalkerPace(token_s=0.003, quantum_s=0.005)


def default_device() -> str:
    """A GPU if there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def set_up(device: str, *, tf32: bool, memory_share: float | None) -> None:
    """tf32: whether float32 products may be rounded to TF32. PyTorch rounds those of convolutions unless it is told
    not to, and then a hop's samples depend on how its batch was computed.
    memory_share: the share of a GPU's memory that PyTorch may take. What it would take beyond that fails here, and not
    in another process."""
    precision = "tf32" if tf32 else "ieee"
    torch.backends.cuda.matmul.fp32_precision = precision
    torch.backends.cudnn.conv.fp32_precision = precision  # type: ignore[attr-defined]
    if memory_share is not None and device.startswith("cuda"):
        torch.cuda.set_per_process_memory_fraction(min(1.0, memory_share))


def capture_on(device: str) -> Capture | None:
    """How the device repeats work. None where it has nothing for that."""
    return cuda_capture() if device.startswith("cuda") else None


def talker_pace(device: str) -> TalkerPace:
    """About how fast the talker is where flow and vocoder are on `device`."""
    return _GPU_PACE if device.startswith("cuda") else _CPU_PACE


def give_way(device: str) -> None:
    """Under NVIDIA's MPS this process's work on a GPU comes after the talker's, whose steps are short and hold up every
    stream. To be called before anything is done on the GPU. Without MPS it changes nothing."""
    if device.startswith("cuda"):
        os.environ.setdefault("CUDA_MPS_CLIENT_PRIORITY", "1")


def stopwatch_of(device: str) -> Stopwatch:
    """What tells how long the device works."""
    if not device.startswith("cuda"):
        return HostStopwatch()
    return DeviceStopwatch(lambda: torch.cuda.Event(enable_timing=True, blocking=True))


def device_words(device: str) -> dict[str, str]:
    """What the costs of work depend on, beside the model: the device, how it rounds, and PyTorch."""
    words = {"torch": torch.__version__, "precision": torch.backends.cudnn.conv.fp32_precision}  # type: ignore[attr-defined]
    if device.startswith("cuda"):
        words["device"] = f"{torch.cuda.get_device_name(device)} {torch.cuda.get_device_capability(device)}"
        words["cuda"], words["cudnn"] = str(torch.version.cuda), str(torch.backends.cudnn.version())
    else:
        words["device"] = f"cpu {torch.get_num_threads()}"
    return words


def memory_share_bytes(device: str) -> int:
    """Memory for keys and values when the options name none."""
    free_bytes = device_free_bytes(device)
    if free_bytes is not None:
        return int(_GPU_SHARE * free_bytes)
    return int(_CPU_SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def device_free_bytes(device: str) -> int | None:
    """What no process uses of a GPU's memory, and what PyTorch holds here without using it. None for a CPU."""
    if not device.startswith("cuda"):
        return None
    free_bytes, _ = torch.cuda.mem_get_info(device)
    return free_bytes + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
