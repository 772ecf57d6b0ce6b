"""One script for each claim of speed or size."""
