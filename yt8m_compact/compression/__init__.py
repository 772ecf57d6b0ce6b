"""Compression of trained models, to a budget."""
