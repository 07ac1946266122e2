"""A notebook as a discovery backend of corepilot."""
