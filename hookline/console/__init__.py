"""The operators' console: Django's admin, on a site of our own.

A page is added in two steps, in the `console/` room of the application that it is about:

1. A list of rows with a page for each is a `Rows` in the file named for its model, registered with
   `@admin.register`. Any other page is a function under `@page`, which says who may look and who may
   press, and answers with `show`:

       @page("replays/new/", name="replay_new", look="deliveries.view_replay",
             press="deliveries.change_replay")
       def new(request: HttpRequest) -> HttpResponse:
           return show(request, "console/replay_new.html", "Replay", events=...)

   Its template extends `console/page.html` and fills the block `main`. It is found at
   /console/replays/new/, and by `reverse("admin:replay_new")`. Without `press` it answers 405 to POST.
2. `<application>/admin.py` imports the file, and `navigation.py` has a line for what belongs in the menu.

What is drawn comes from `drawing`, which escapes it: pages show what strangers sent. Nothing is inline,
neither script nor style. Verbs are those of the API, done by `operator_of(request)`.

What the frame's own scripts do for any page that asks by attribute: `data-copy="text"` copies,
`data-key="r"` is pressed by that key, `data-confirm="Sure?"` asks before a form is sent, and a table in
`.results` is walked with j and k.

A row for which a list of fields is too little is a `RowPages` with a template of its own, which draws with
`{% load drawing %}`. A part of a page with an id and `data-follow` is fetched anew by `follow.js` until the
server sends it without; a form that must not do its work twice is a `OnceForm`.
"""
