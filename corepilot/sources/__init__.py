"""Where the text of a configuration comes from."""
