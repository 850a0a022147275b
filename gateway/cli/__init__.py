"""The `hearthgate` command. It parses and prints; what it does is done by the parts below."""
