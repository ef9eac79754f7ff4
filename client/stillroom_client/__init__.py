"""The command line `stillroom`: use, upload, and the administration of users and indexes."""
