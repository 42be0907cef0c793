"""The schedule on a device that is a table of costs: no model, no clock."""
