"""What Kubernetes should have, and how to get there: pure."""
