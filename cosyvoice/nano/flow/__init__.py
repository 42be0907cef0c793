"""Training of the flow."""
