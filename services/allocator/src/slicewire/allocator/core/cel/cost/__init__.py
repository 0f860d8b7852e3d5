"""What an expression costs: estimated before it runs, charged while it runs, in Kubernetes' units."""
