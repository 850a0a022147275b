"""The household's console: pages (NiceGUI) and a small JSON API (FastAPI) on one address, in the gateway's own loop."""
