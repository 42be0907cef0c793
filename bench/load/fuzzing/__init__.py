"""Malformed frames and a client that sends them."""
