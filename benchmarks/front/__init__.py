"""Accuracy against bytes: cases, and what measures and shows them."""
