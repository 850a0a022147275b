"""What people and CI run by hand: the demo, the tests, the benches, the stand-in cloud."""
