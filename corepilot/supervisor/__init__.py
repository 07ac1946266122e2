"""The supervisor process: boot, one running system over all its configurations, reload, stop."""
