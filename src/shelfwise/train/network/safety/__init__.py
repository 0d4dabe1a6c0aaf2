"""What keeps a training whole: checkpoints, guards, signals, several processes."""
