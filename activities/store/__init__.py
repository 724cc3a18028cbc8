"""Node types of the key-value store, where flows keep things from one run to the next."""
