"""What the examples share: an application of several corepilots, its walk, its load, and the command that runs it.

Standard library only. An example's `run` hands its script to this folder, see `__main__`; the script imports what it
needs from here and calls `command.run`.
"""
