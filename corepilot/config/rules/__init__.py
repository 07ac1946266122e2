"""What needs more than one setting, or this machine: from valid settings to a configuration."""
