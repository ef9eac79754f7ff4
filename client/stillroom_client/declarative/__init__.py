"""The users, groups and indexes of a server as one file says them: read, compared, applied."""
