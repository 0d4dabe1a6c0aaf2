"""Networks that torch trains: their architectures, their stages, and the graphs that serve them. Needs the extra [torch]."""
