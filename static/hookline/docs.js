"use strict";

const place = document.getElementById("docs");

SwaggerUIBundle({
  domNode: place,
  url: place.dataset.document,
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "list",
  // Unless told not to, Swagger UI asks another host whether the document is valid.
  validatorUrl: null,
});
