"""What everybody speaks: frozen, typed values. Imports nothing of ours, and does no I/O.

`value` says how they are made; `configuration` is the whole of what the loader hands over.
"""
