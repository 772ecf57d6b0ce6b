"""How the frames of a video are pooled: names that settings and layers know."""

POOLING_METHODS = ("max", "average")
