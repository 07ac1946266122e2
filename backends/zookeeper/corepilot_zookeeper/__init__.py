"""ZooKeeper as a discovery backend of corepilot."""
