"""`python -m gateway` is the `hearthgate` command."""

from gateway.cli.main import main

main()
