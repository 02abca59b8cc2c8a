"""What a call is: models, control of ACS, the archive, the admin."""
