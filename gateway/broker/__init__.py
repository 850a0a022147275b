"""The broker's rules and files: who may say and hear what, passwords, certificates, Mosquitto's configuration."""
