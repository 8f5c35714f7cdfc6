"""The commands that call the platform, made from the methods of the services and the fields of their requests."""
