"""Makes a bundle: one folder with corepilot and its plugins, their own Python and their own C library."""
