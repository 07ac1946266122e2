"""Words for people: shared by everything that writes messages. Knows nobody."""
