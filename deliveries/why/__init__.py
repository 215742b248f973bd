"""Why did an endpoint get an event, or why not (yet)? Told to people; nothing here changes anything."""
