"""A server that is attacked, what it shows of itself, and the listeners beside the attack."""
