"""Which runs the study consists of, how they are executed, and what their records say."""
