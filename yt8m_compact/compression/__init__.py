"""Models of few bytes: what their weights are coded to."""
