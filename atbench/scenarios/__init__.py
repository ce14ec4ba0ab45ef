"""A team's own scenarios: tasks told in several ways, played by an agent, and whether it broke the rules."""
