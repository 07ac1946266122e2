"""Texts as people write them: JSON5 with positions, commands, durations, interface specifications."""
