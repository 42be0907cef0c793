"""What a GPU does with this code: one command, one JSON file. `python -m bench.gpu --help`."""
