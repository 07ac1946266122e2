"""The light modules of the sources that come with corepilot: what its entry points name."""
