"""What can be asked of a trained run, for an explorer of any kind."""
