"""The reproducibility study: which experiments there are, how they are run, and what their records say."""
