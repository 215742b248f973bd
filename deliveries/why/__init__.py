"""Why did an endpoint get an event, or why not (yet)? Answers for people; nothing here changes anything."""
