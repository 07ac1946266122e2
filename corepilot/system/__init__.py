"""The seam to the operating system: processes, signals, clocks."""
