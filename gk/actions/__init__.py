"""What a user, a program or an assistant can do: one file each, entered by every door at `registry.run`."""
