"""How long hypothesis may take is said by pytest's own timeout: one slow example on a busy machine is no failure."""

from hypothesis import HealthCheck, settings

settings.register_profile("hearthgate", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
settings.load_profile("hearthgate")
