"""The providers that come with Lunform. Each imports `planner.sdk` and nothing else of planner."""
