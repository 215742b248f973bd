"""One HTTP request and nothing else."""
