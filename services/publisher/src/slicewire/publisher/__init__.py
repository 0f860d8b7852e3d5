"""Keep the Kubernetes API telling the truth; never decides."""
