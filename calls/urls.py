"""Routes of the calls app."""

from django.urls import URLPattern, path

from calls import webhooks

urlpatterns: list[URLPattern] = [
    path("webhooks/eventgrid", webhooks.eventgrid, name="eventgrid"),
    path("webhooks/calls/<str:secret>", webhooks.callback, name="callback"),
]
