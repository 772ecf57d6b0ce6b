"""A run: its configuration, its flags, and its folder."""
