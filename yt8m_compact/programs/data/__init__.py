"""yt8m-data, a file a verb."""
