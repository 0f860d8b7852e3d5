"""What GPUs does this node have? Tells the whole truth about its pool; never interprets claims."""
