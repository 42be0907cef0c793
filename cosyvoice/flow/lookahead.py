"""The flow's look-ahead convolution over speech tokens. It is the only part of the flow that sees later tokens."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class PreLookahead(nn.Module):
    """Two convolutions over token embeddings; their result is added to the embeddings. The first sees `lookahead`
    tokens ahead, the second two tokens back. So output t depends on the tokens t - 2 to t + lookahead."""

    CONTEXT_TOKENS = 2

    def __init__(self, bins: int, channels: int, lookahead: int) -> None:
        super().__init__()
        self.lookahead = lookahead
        self.conv1 = nn.Conv1d(bins, channels, lookahead + 1)
        self.conv2 = nn.Conv1d(channels, bins, self.CONTEXT_TOKENS + 1)

    def forward(self, embeddings: Tensor, *, final: bool, context: int = 0) -> Tensor:
        """[B, context + n (+ lookahead), bins] -> [B, n, bins].

        The first `context` tokens (up to two) are left context and give no output. At the start of a sequence there is
        no context, and the second convolution sees zeros. With `final` the tokens ahead are zeros; otherwise the last
        `lookahead` tokens are look-ahead and give no output.
        """
        x = embeddings.transpose(1, 2)
        if final:
            x = F.pad(x, (0, self.lookahead))
        hidden = F.leaky_relu(self.conv1(x), 0.01)
        hidden = self.conv2(F.pad(hidden, (self.CONTEXT_TOKENS - context, 0))).transpose(1, 2)
        out: Tensor = hidden + embeddings[:, context : context + hidden.shape[1]]
        return out
