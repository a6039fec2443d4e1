"""Models: a backbone and a head under one contract."""
