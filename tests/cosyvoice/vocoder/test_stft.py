"""The vocoder's STFT against torch's."""

import torch

from cosyvoice.vocoder.stft import Stft

WINDOW = torch.hann_window(16)


def test_analysis_is_torch_stft() -> None:
    """Columns equal torch.stft's, real parts before imaginary ones."""
    wave = torch.randn(2, 960, generator=torch.Generator().manual_seed(1))
    columns = torch.stft(wave, 16, 4, 16, WINDOW, return_complex=True)
    assert torch.allclose(Stft(16, 4).analyse(wave), torch.cat([columns.real, columns.imag], 1), atol=1e-5)


def test_synthesis_is_torch_istft() -> None:
    """A whole wave equals torch.istft's, both edges included."""
    columns = torch.randn(2, 18, 241, generator=torch.Generator().manual_seed(2))
    expected = torch.istft(torch.complex(columns[:, :9], columns[:, 9:]), 16, 4, 16, WINDOW)
    longer = torch.cat([columns, torch.full((2, 18, 3), 7.0)], 2)
    assert torch.allclose(Stft(16, 4).synthesise(longer, 8, 960, ends=[960, 960]), expected, atol=1e-5)


def test_a_row_that_ends_early_is_as_if_alone() -> None:
    """In a batch, a row's end gives the columns and the wave of the shorter signal; the other row is untouched."""
    stft = Stft(16, 4)
    wave = torch.randn(2, 960, generator=torch.Generator().manual_seed(3))
    columns = stft.analyse(wave, [480, None])
    # Not to the bit: a product of matrices may add up in another order where the batch has another size.
    assert torch.allclose(columns[:1, :, :121], stft.analyse(wave[:1, :480]), atol=1e-5)
    assert torch.allclose(columns[1:], stft.analyse(wave[1:]), atol=1e-5)
    alone = torch.istft(torch.complex(columns[:1, :9, :121], columns[:1, 9:, :121]), 16, 4, 16, WINDOW)
    assert torch.allclose(stft.synthesise(columns, 8, 956, ends=[480, None])[:1, :480], alone, atol=1e-6)


def test_the_middle_of_a_signal_needs_no_edges() -> None:
    """Columns from the middle give the samples of the whole wave there."""
    stft = Stft(16, 4)
    columns = torch.randn(1, 18, 100, generator=torch.Generator().manual_seed(4))
    whole = stft.synthesise(columns.clone(), 8, 380)
    # Sample 200 overlaps with columns 49 to 52.
    part = stft.synthesise(columns[..., 49:62].clone(), 200 + 8 - 4 * 49, 40, first=False)
    assert torch.allclose(part, whole[:, 200:240], atol=1e-6)
