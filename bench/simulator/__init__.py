"""Runs the schedule on a device that is only a table of costs: without a model and in simulated time."""
