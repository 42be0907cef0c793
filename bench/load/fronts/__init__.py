"""Servers without speech, and a client that loads them."""
