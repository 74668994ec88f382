"""A company that does not exist: a seeded history of agents and people at work, behind the real HTTP behaviour of Zendesk and HubSpot."""
