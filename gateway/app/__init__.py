"""The running gateway: settings, the MQTT source, group commit, and the composition of all parts."""
