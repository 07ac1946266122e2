"""The supervisor process: boot, one generation per configuration, reload, stop."""
