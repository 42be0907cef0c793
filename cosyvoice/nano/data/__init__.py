"""What training reads: features and codes of the corpus, in flat files that are mapped into memory."""
