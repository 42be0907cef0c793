"""The policies that ours is compared with: the original runtime's, and first come, first served."""
