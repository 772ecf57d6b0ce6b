"""What an evaluation says beside its metrics: classes, groups, calibration."""
