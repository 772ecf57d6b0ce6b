"""Features as extractors write them, one module for each kind of file."""
