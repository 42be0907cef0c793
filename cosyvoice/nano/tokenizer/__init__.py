"""Training of a speech tokenizer. The shipped one is frozen: a new one voids all that was learnt above it."""
