"""How a network learns: what is trained, losses, optimizers, schedules."""
