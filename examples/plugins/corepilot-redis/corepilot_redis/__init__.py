"""Redis as a discovery backend of corepilot."""
