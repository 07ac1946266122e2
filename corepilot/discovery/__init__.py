"""The catalog: what we register, what we watch, and the contract of the backends that store it."""
