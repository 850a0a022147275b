"""Access: what a household keeps, handed to the household in formats that others read."""
