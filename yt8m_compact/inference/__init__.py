"""Predictions: of runs and of what was exported."""
