"""The web room: aiohttp. Health and the operator's view; it looks at the daemon through one port."""
