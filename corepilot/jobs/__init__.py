"""Jobs: a pure state machine, and the runner that acts for it."""
