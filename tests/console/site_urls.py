"""The installation's routes, and one that breaks."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from acsstream import urls


def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("as asked")


urlpatterns = [path("broken/", broken), *urls.urlpatterns]
