"""A run: its identity, its steps, its record, and the store that holds it."""
