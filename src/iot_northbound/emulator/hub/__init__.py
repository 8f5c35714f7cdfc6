"""The platform's endpoint for hubs that post XML."""
