"""From user text to talker text ids: cleaning, markup, normalisation, phonemes, boundaries, streaming."""
