"""What every Slicewire part shares: the model, the messages, and one door to each technology."""
