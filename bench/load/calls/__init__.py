"""Conversations that arrive, talk and listen, and the report about them."""
