"""`python -m shelfwise`: how torchrun and accelerate start it in several processes."""

from shelfwise.cli.main import main

main()
