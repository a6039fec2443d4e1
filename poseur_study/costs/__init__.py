"""Parameters, multiply-adds and speed beside what the paper prints."""
