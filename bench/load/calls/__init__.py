"""Conversations that arrive, talk, listen, and what is told of them."""
