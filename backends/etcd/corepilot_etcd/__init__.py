"""etcd as a discovery backend of corepilot."""
