"""Training steps that are timed: ours, and those of the released codes."""
