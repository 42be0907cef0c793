"""Whole texts side by side: each gives the mel of the offline mode, whatever its neighbours."""

from __future__ import annotations

import pytest
import torch

from cosyvoice.flow.export_estimator import WholeTextEstimator
from cosyvoice.flow.flow import Flow
from cosyvoice.flow.whole_texts import WholeText, whole_text_mels
from tests.cosyvoice.flow.speaking import CFG_RATES, TOLERANCE, ids, numbers, serve, with_cfg_rate

pytestmark = pytest.mark.model


@pytest.mark.parametrize("cfg_rate", CFG_RATES)
def test_each_text_is_as_if_alone(weights: Flow, cfg_rate: float) -> None:
    """Three lengths and two prompts in one batch, with guidance's two rows and without."""
    flow = with_cfg_rate(weights, cfg_rate)
    texts = [
        WholeText(ids(count, seed), ids(prompt, seed), numbers(2 * prompt, 80, seed=seed), numbers(192, seed=seed))
        for count, prompt, seed in ((21, 8, 1), (9, 8, 2), (14, 0, 3))
    ]
    mels = whole_text_mels(flow, WholeTextEstimator(flow.decoder.estimator).eval(), texts)
    for text, mel in zip(texts, mels, strict=True):
        prompt = torch.tensor(text.prompt_tokens, dtype=torch.int64)
        (right,) = serve(flow).full(text.tokens, prompt, text.prompt_mel, text.speaker, block_mask=False, finalize=True)
        assert mel.shape == (80, 2 * len(text.tokens))
        torch.testing.assert_close(mel, right, rtol=0, atol=TOLERANCE)
