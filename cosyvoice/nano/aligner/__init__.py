"""Training of the aligner, and what it tells of the corpus."""
