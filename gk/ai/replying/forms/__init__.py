"""The templates that come with GK: `default` around what a model wrote, `acknowledgement` that needs none."""
