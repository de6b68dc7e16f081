"""ManageSieve, from bytes to scripts that are kept."""
