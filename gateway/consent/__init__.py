"""Consent: the default is no. One pure function decides; everything else records, shows or obeys it."""
