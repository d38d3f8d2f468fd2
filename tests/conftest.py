"""The fixtures that tests in several folders share: real daemons, started when a test first asks for them."""

pytest_plugins = ["tests.rigs.fixtures"]
