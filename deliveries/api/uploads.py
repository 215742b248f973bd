"""/v1/uploads: not built yet, and says so."""

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries.api import schema
from hookline.api import Resource


@schema.uploads
class Uploads(Resource):
    def answer(self, request: Request, **path: str) -> Response:
        if settings.HL_UPLOADS_ENABLED:
            body = {"error": "not_implemented", "message": "uploads not yet configured"}
        else:
            body = {"error": "uploads_disabled"}
        return Response(body, status=501)

    get = post = put = patch = delete = answer
