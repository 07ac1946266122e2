"""The loader: a process for each load, and how it is spoken to."""
