"""From the text of a configuration to a validated model."""
