"""What ours is compared with: the original runtime's way and first come, first served."""
