"""sgpt behind the protocols of other packages. Each module imports its package when it is imported, never before."""
