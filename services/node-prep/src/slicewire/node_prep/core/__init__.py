"""What node-prep decides, as values: plans, CDI specs, the checkpoint. Nothing here acts."""
