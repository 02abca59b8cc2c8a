"""Routes of signing in. They stand before the admin's own."""

from django.contrib import admin
from django.urls import URLPattern, path

from calls.sign_in import views

app_name = "sign_in"
urlpatterns: list[URLPattern] = [
    path("admin/login/", views.Login.as_view(), name="login"),
    path("admin/login/code/", views.code, name="code"),
    path("admin/login/enrol/", views.enrol, name="enrol"),
    path("admin/logout/", views.Logout.as_view(), name="logout"),
    path(
        "admin/second-factor/",
        admin.site.admin_view(views.own_second_factor),
        name="second_factor",
    ),
    path("sso/begin", views.sso_begin, name="sso_begin"),
    path("sso/callback", views.sso_callback, name="sso_callback"),
]
