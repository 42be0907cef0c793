"""What all trainings share: the optimiser, batches, and a loop that can be interrupted at any time."""
