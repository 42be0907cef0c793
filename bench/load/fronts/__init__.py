"""Servers without speech and the clients that load them."""
