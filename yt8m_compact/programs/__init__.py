"""The programs: flags, one call of the library, what is printed."""
