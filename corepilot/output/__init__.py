"""Where lines go: the jobs' output and our own log."""
