"""Runs and tables by papermill: jobs, schedule, cluster, status."""
