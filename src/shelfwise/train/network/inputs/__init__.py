"""What goes into a network: photos, how they are changed, and activations computed once."""
