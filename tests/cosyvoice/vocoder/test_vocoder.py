"""The incremental vocoder: exact whatever the hops, the batch and the place."""

import pickle
import random

import pytest
import torch
from torch import Tensor

from cosyvoice.checkpoint import VOCODER_FILES, find_file, load_state
from cosyvoice.config import ModelConfig, VocoderConfig
from cosyvoice.errors import StreamError
from cosyvoice.models import NANO
from cosyvoice.parity.golden import Golden, deviation
from cosyvoice.vocoder.hift import Hift
from cosyvoice.vocoder.sine_noise import sine_noise
from cosyvoice.vocoder.stream import VocoderStream
from cosyvoice.vocoder.vocoder import Vocoder, size_class
from cosyvoice.vocoder.weight_norm import fuse_weight_norm
from tests.paths import GOLDEN_DIR

pytestmark = pytest.mark.model

GOLDEN = Golden(GOLDEN_DIR)
CONFIG = VocoderConfig(base_channels=64, f0_channels=32)


def tiny_hift() -> Hift:
    network = Hift(CONFIG)
    network.load_state_dict(fuse_weight_norm(GOLDEN.tensors("tiny_hift")[0]), strict=True)
    return network.requires_grad_(False)


@pytest.fixture(scope="module")
def noise() -> Tensor:
    """The noise the fixtures were made with: 420 frames."""
    return GOLDEN.tensors("noise")[0]["hift.sine_noise_u8"][0].float() / 256


@pytest.fixture(scope="module")
def vocoder(noise: Tensor) -> Vocoder:
    return Vocoder(tiny_hift(), noise=noise)


@pytest.fixture(scope="module")
def double(noise: Tensor) -> Vocoder:
    """All of the network in float64: what is left of a difference is no rounding."""
    return Vocoder(tiny_hift().double(), noise=noise)


@pytest.fixture(scope="module")
def mel() -> Tensor:
    """60 s: the recorded 140 frames over and over."""
    return GOLDEN.tensors("hift")[0]["mel"][0].repeat(1, 22)[:, :3000]


def whole(vocoder: Vocoder, mel: Tensor) -> Tensor:
    return vocoder.decode([(vocoder.open(), mel, True)])[0]


def in_hops(vocoder: Vocoder, mel: Tensor, choice: random.Random, sizes: tuple[int, ...]) -> Tensor:
    stream, waves, start = vocoder.open(), [], 0
    while start < mel.shape[1]:
        stop = start + choice.choice(sizes)
        waves += vocoder.decode([(stream, mel[:, start:stop], stop >= mel.shape[1])])
        start = stop
    return torch.cat(waves)


@pytest.mark.parametrize("name", ["tts_stream", "tts_stream_hop25", "tts_offline"])
def test_the_original_streaming_loop(noise: Tensor, name: str) -> None:
    """From the original's mel, hop for hop, come the original's samples, as many and the same to 1e-5."""
    tensors, metadata = GOLDEN.tensors(name)
    original = Vocoder(tiny_hift(), noise=noise, phase="fp32")
    stream, frames, hop = original.open(), 0, 0
    for i, (kind, arguments, _shape) in enumerate(metadata["events"]):
        if kind == "flow":
            mel = tensors[f"ev{i}.flow_mel"][0]
            (wave,) = original.decode([(stream, mel[:, frames:], arguments["finalize"])])
            assert deviation(wave[None], tensors[f"wav.{hop}"]) < 1e-5, hop
            frames, hop = mel.shape[1], hop + 1
    assert f"wav.{hop}" not in tensors and stream.finished


@pytest.mark.parametrize("frames", [40, 63, 100])
def test_unfinished_prefixes(noise: Tensor, frames: int) -> None:
    """An unfinished mel gives the original's samples, 8 frames short of it."""
    recorded, _ = GOLDEN.tensors("hift")
    original = Vocoder(tiny_hift(), noise=noise, phase="fp32")
    (wave,) = original.decode([(original.open(), recorded["mel"][0, :, :frames], False)])
    assert wave.shape == (480 * (frames - 8),)
    assert deviation(wave[None], recorded[f"wav_prefix{frames}_nofinal"]) < 1e-5


def test_sixty_seconds_in_random_hops(vocoder: Vocoder, mel: Tensor) -> None:
    """Over a minute, past the end of the noise table too, hops of 1 to 100 frames give the whole decode's samples up to
    float32 rounding, which does not grow with time."""
    expected = whole(vocoder, mel)
    assert expected.shape == (60 * 24000,) and expected.dtype == torch.float32
    difference = (in_hops(vocoder, mel, random.Random(1), (1, 2, 3, 20, 50, 100)) - expected).abs()
    assert difference.max() < 2e-5
    assert difference[-240000:].mean() < 2 * difference[:240000].mean() + 1e-9


@pytest.mark.parametrize(("held_frames", "lead_frames"), [(8, 0), (5, 0), (5, 1), (5, 4), (8, 29)])
@pytest.mark.parametrize("sizes", [(1, 2, 3), (1, 7, 19, 50)])
def test_hops_are_exact_but_for_rounding(
    noise: Tensor, mel: Tensor, held_frames: int, lead_frames: int, sizes: tuple[int, ...]
) -> None:
    """In float64, hops agree with the whole to 1e-10, also when no frame is withheld without need, and with a lead."""
    exact = Vocoder(
        tiny_hift().double(), noise=noise, held_frames=held_frames, lead_frames=lead_frames, lead_log_mel=-11.5
    )
    part = mel[:, :160].double()
    assert deviation(in_hops(exact, part, random.Random(2), sizes), whole(exact, part)) < 1e-10


@pytest.mark.parametrize("lead_frames", [1, 4, 29])
def test_a_lead_is_mel_before_the_first_frame(noise: Tensor, mel: Tensor, lead_frames: int) -> None:
    """A stream with a lead gives the samples that the same mel has after silent frames in a stream without a lead."""
    part, silence = mel[:, :60].double(), torch.full((80, lead_frames), -11.5, dtype=torch.float64)
    plain = Vocoder(tiny_hift().double(), noise=noise)
    leads = Vocoder(tiny_hift().double(), noise=noise, lead_frames=lead_frames, lead_log_mel=-11.5)
    expected = whole(plain, torch.cat([silence, part], 1))[lead_frames * 480 :]
    assert deviation(whole(leads, part), expected) < 1e-10


def test_a_lead_delays_no_samples(noise: Tensor, mel: Tensor) -> None:
    """With a lead the first samples come after as many mel frames as without, and the counts are of the mel fed."""
    leads = Vocoder(tiny_hift(), noise=noise, held_frames=5, lead_frames=4)
    stream = leads.open()
    lengths = [leads.decode([(stream, mel[:, i : i + 1], False)])[0].shape[0] for i in range(7)]
    assert lengths == [0] * 5 + [480] * 2
    assert stream.received_frames == 7 and stream.emitted_samples == 2 * 480
    assert leads.decode([(stream, mel[:, :0], True)])[0].shape == (5 * 480,)
    assert leads.decode([(leads.open(), mel[:, :0], True)])[0].shape == (0,)


def test_the_embedded_vocoder_begins_silent() -> None:
    """With the lead of its serving.json the embedded vocoder makes a silent mel silent from the first sample on.
    Without a lead its first 10 ms are a burst of noise."""
    config = ModelConfig.load(NANO)
    network = Hift(config.vocoder)
    network.load_state_dict(fuse_weight_norm(load_state(find_file(NANO, VOCODER_FILES))))
    silence = torch.full((80, 20), -11.5)
    begins = []
    for frames in (config.serving.vocoder_lead_frames, 0):
        vocoder = Vocoder(network, lead_frames=frames, lead_log_mel=config.serving.vocoder_lead_log_mel)
        begins.append(float(whole(vocoder, silence)[:240].abs().max()))
    assert begins[0] < 1e-4 and begins[1] > 0.05


def test_streams_of_all_ages_in_one_batch(double: Vocoder, mel: Tensor) -> None:
    """Streams that begin and end at different times, with hops of their own, each get their own whole decode."""
    choice = random.Random(3)
    mels = [mel[:, 37 * i : 37 * i + length].double() for i, length in enumerate((1, 7, 9, 40, 90, 120, 120))]
    waiting = list(enumerate(mels))
    running: dict[int, tuple[VocoderStream, Tensor]] = {}
    waves: dict[int, list[Tensor]] = {i: [] for i in range(len(mels))}
    batched = 0
    while waiting or running:
        while waiting and len(running) < 5:
            index, rest = waiting.pop()
            running[index] = (double.open(), rest)
        jobs, order = [], list(running)
        for index in order:
            stream, rest = running[index]
            hop = choice.choice((2, 13, 25))
            jobs.append((stream, rest[:, :hop], hop >= rest.shape[1]))
            running[index] = (stream, rest[:, hop:])
        batched = max(batched, len(jobs))
        for index, job, wave in zip(order, jobs, double.decode(jobs), strict=True):
            waves[index].append(wave)
            if job[2]:
                del running[index]
    assert batched == 5
    for index, expected in enumerate(mels):
        assert deviation(torch.cat(waves[index]), whole(double, expected)) < 1e-10, index


def test_streams_of_one_size_class_run_together(vocoder: Vocoder, mel: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven steady streams, one of them at its end, are one group, cut into batches of 4, 2 and 1 on a CPU."""
    streams = [vocoder.open() for _ in range(7)]
    vocoder.decode([(stream, mel[:, :60], False) for stream in streams])
    batches = []
    synthesise = vocoder.hift.synthesise

    def count(mel: Tensor, *arguments: object) -> Tensor:
        batches.append(mel.shape[0])
        return synthesise(mel, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(vocoder.hift, "synthesise", count)
    vocoder.decode([(stream, mel[:, 60 : 110 - 8 * (i == 0)], i == 0) for i, stream in enumerate(streams)])
    assert batches == [4, 2, 1]
    assert all(stream.emitted_frames == 102 for stream in streams)


def test_samples_come_as_soon_as_they_are_settled(vocoder: Vocoder, mel: Tensor) -> None:
    """Nothing comes of 8 frames, a frame of the ninth, and of the final ones all that is left."""
    stream = vocoder.open()
    lengths = [vocoder.decode([(stream, mel[:, i : i + 1], False)])[0].shape[0] for i in range(12)]
    assert lengths == [0] * 8 + [480] * 4
    assert stream.emitted_samples == 4 * 480 and stream.received_frames == 12
    assert vocoder.decode([(stream, mel[:, :0], True)])[0].shape == (8 * 480,)
    assert vocoder.decode([(vocoder.open(), mel[:, :0], True)])[0].shape == (0,)


@pytest.mark.parametrize("lead_frames", [0, 4])
def test_a_stream_goes_on_elsewhere(noise: Tensor, mel: Tensor, lead_frames: int) -> None:
    """A record taken at any time, carried away as bytes and restored in another vocoder, continues with the very
    samples the stream itself would have given."""
    for emitted_first in (0, 3, 12, 60, 118):
        here, there = (Vocoder(tiny_hift(), noise=noise, lead_frames=lead_frames) for _ in range(2))
        stream = here.open()
        here.decode([(stream, mel[:, :emitted_first], False)])
        record = pickle.loads(pickle.dumps(stream.resume_record()))
        moved = there.restore(record)
        assert moved.emitted_samples == stream.emitted_samples
        for start, stop in ((emitted_first, 130), (130, 140)):
            ours = here.decode([(stream, mel[:, start:stop], stop == 140)])[0]
            theirs = there.decode([(moved, mel[:, start:stop], stop == 140)])[0]
            assert torch.equal(ours, theirs), (emitted_first, start)


def test_a_record_is_small_plain_data(vocoder: Vocoder, mel: Tensor) -> None:
    """However old the stream, its record is ints, a bool, a str and CPU tensors of under 16 KB, detached from it."""
    stream = vocoder.open()
    vocoder.decode([(stream, mel[:, :1000], False)])
    record = stream.resume_record()
    tensors = [value for value in record.values() if isinstance(value, Tensor)]
    assert sum(t.numel() * t.element_size() for t in tensors) < 16_000
    assert all(t.device.type == "cpu" and t.untyped_storage().nbytes() == t.numel() * t.element_size() for t in tensors)
    assert {type(value) for value in record.values()} == {int, bool, str, Tensor}
    before = record["mel"].clone()
    vocoder.decode([(stream, mel[:, 1000:1050], False)])
    assert torch.equal(record["mel"], before)


def test_records_that_do_not_fit_are_refused(vocoder: Vocoder, mel: Tensor, noise: Tensor) -> None:
    """Another phase, a missing key, a wrong shape or count: each names what was expected and found."""
    stream = vocoder.open()
    vocoder.decode([(stream, mel[:, :50], False)])
    record = stream.resume_record()
    with pytest.raises(StreamError, match="expected phase fp32, found fp64"):
        Vocoder(tiny_hift(), noise=noise, phase="fp32").restore(record)
    for change, message in (
        ({"mel": record["mel"][:79]}, r"mel: expected \[80, frames\], found \[79, 37\]"),
        ({"f0": record["f0"][1:]}, r"f0: expected \[30\], found \[29\]"),
        ({"cycles": 3}, r"cycles: expected \[30, 9\], found int"),
        ({"emitted_frames": -1}, "emitted_frames: expected an int of at least 0, found -1"),
        ({"first_frame": 14}, "first_frame: expected 29 frames before 42, found 14"),
        ({"more": 1}, "expected the keys"),
    ):
        with pytest.raises(StreamError, match=message):
            vocoder.restore(record | change)
    with pytest.raises(StreamError, match="emitted_frames: expected at least the lead's 4, found 0"):
        Vocoder(tiny_hift(), noise=noise, lead_frames=4).restore(vocoder.open().resume_record())


def test_wrong_use_changes_nothing(vocoder: Vocoder, mel: Tensor) -> None:
    """One bad job refuses the whole batch before any stream has moved."""
    good, ended = vocoder.open(), vocoder.open()
    vocoder.decode([(ended, mel[:, :3], True)])
    for bad, message in (
        ((ended, mel[:, :5], False), "no more mel after the final one, found 5"),
        ((good, mel[:, :5], False), "each stream once"),
        ((vocoder.open(), mel[:79], False), r"expected mel \[80, frames\], found \[79, 3000\]"),
        ((vocoder.open(), mel[None], False), r"found \[1, 80, 3000\]"),
        ((VocoderStream.start(CONFIG, "fp32", mel[:, :0]), mel, False), "a stream that this vocoder opened"),
    ):
        with pytest.raises(StreamError, match=message):
            vocoder.decode([(good, mel[:, :20], False), bad])
    assert good.received_frames == 0


def test_a_failure_while_decoding_changes_nothing(
    vocoder: Vocoder, mel: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the device runs out of memory half-way, the same call can be made again."""
    streams = [vocoder.open() for _ in range(2)]
    jobs = [(streams[0], mel[:, :20], False), (streams[1], mel[:, :60], True)]
    synthesise, calls = vocoder.hift.synthesise, []

    def fail_second(*arguments: object) -> Tensor:
        calls.append(1)
        if len(calls) == 2:
            raise MemoryError
        return synthesise(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(vocoder.hift, "synthesise", fail_second)
        with pytest.raises(MemoryError):
            vocoder.decode(jobs)
    assert [stream.received_frames for stream in streams] == [0, 0] and not streams[1].finished
    first, second = vocoder.decode(jobs)
    assert torch.equal(first, vocoder.decode([(vocoder.open(), mel[:, :20], False)])[0])
    assert torch.equal(second, whole(vocoder, mel[:, :60]))


def test_size_classes_are_few_and_never_too_small() -> None:
    """Up to 60 s there are under 80 classes; 50 frames (25 tokens) are one of them; no hop up to 40 frames grows by 4,
    none up to 100 by 10."""
    classes = {frames: size_class(frames) for frames in range(1, 3001)}
    assert len(set(classes.values())) < 80 and classes[50] == 50
    for frames, size in classes.items():
        assert 0 <= size - frames < (4 if frames <= 40 else 10 if frames <= 100 else 50)


def test_settings_that_cannot_work_are_refused(noise: Tensor) -> None:
    """Too few held frames, a lead beyond the context, or noise of other channels or of less than a frame."""
    with pytest.raises(ValueError, match="held_frames: expected at least 5, found 4"):
        Vocoder(tiny_hift(), noise=noise, held_frames=4)
    for table in (noise[:, :8], noise[:479], noise[None]):
        with pytest.raises(ValueError, match=r"noise: expected \[samples, 9\]"):
            Vocoder(tiny_hift(), noise=table)
    for frames in (-1, 30):
        with pytest.raises(ValueError, match=f"lead_frames: expected 0 to 29, found {frames}"):
            Vocoder(tiny_hift(), noise=noise, lead_frames=frames)


def test_the_default_noise_is_the_original_one(mel: Tensor) -> None:
    """Without a table a vocoder hears the original's noise, and other samples than with the fixtures'."""
    hift = tiny_hift()
    default = whole(Vocoder(hift), mel[:, :10])
    assert torch.equal(default, whole(Vocoder(hift, noise=sine_noise(1.0)), mel[:, :10]))
