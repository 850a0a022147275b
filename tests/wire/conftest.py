"""How long hypothesis may take is said by pytest's own timeout: one slow example on a busy machine is no failure."""

from hypothesis import settings

settings.register_profile("hearthgate", deadline=None)
settings.load_profile("hearthgate")
