"""The embedded checkpoint and how it is trained. The server imports nothing from here."""
