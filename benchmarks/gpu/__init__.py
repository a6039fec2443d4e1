"""The benchmark of a GPU: absolute times and what bounds them, against the goals for an H100 or H200."""
