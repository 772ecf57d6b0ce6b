"""Models as files of other runtimes: a file a format."""
