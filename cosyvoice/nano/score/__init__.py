"""What the checkpoint reaches: understood by a recogniser, judged by a listener model, beside its teachers."""
