"""Who may log in to the console, and what their role lets them do."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin import display
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from hookline.console.drawing import moment, status

NO_ROLE = "no role"
OF_SUPERUSERS = ("is_superuser", "user_permissions")

admin.site.unregister([User, Group])


@admin.register(User)
class PersonAdmin(UserAdmin):  # type: ignore[type-arg]
    """Whoever manages people gives them roles, and no right beyond those: only a superuser makes or
    changes one, or gives single permissions."""

    list_display = ("username", "role", "state", "name", "email", "seen")
    list_filter = ()
    search_help_text = "A part of a name or address"
    change_list_template = "console/people.html"
    change_form_template = add_form_template = "console/person.html"
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("May", {"fields": ("is_active", "is_staff", "groups")}),
    )
    add_fieldsets = ((None, {"fields": ("username", "password1", "password2", "groups")}),)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj and request.user.is_superuser:
            return (*fieldsets, ("Beyond roles", {"fields": OF_SUPERUSERS}))
        return fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if request.user.is_superuser else OF_SUPERUSERS

    def get_queryset(self, request: HttpRequest) -> "QuerySet[User]":
        return super().get_queryset(request).prefetch_related("groups")

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        if db_field.name == "groups":
            options["widget"] = forms.CheckboxSelectMultiple
        found = super().formfield_for_manytomany(db_field, request, **options)
        if found and db_field.name == "groups":
            found.label, found.help_text = "Role", ""
        return found

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Whoever is added is meant to log in."""
        obj.is_staff = obj.is_staff or not change
        super().save_model(request, obj, form, change)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        frame = {"title": "People", "is_narrowed": bool(request.GET.get("q"))}
        return super().changelist_view(request, frame | (extra_context or {}))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and _may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and _may_touch(request, obj)

    @display(description="role")
    def role(self, person: User) -> str:
        return "superuser" if person.is_superuser else ", ".join(map(str, person.groups.all())) or NO_ROLE

    @display(description="status")
    def state(self, person: User) -> Any:
        if not person.is_active:
            return status("disabled", "Cannot log in")
        return (
            status("active") if person.is_staff else status("disabled", "Lacks staff status: cannot log in")
        )

    @display(description="name")
    def name(self, person: User) -> str:
        return person.get_full_name()

    @display(description="last login")
    def seen(self, person: User) -> Any:
        return moment(person.last_login)


@admin.register(Group)
class RoleAdmin(GroupAdmin):
    """The roles are kept by the installation; only a superuser changes what they may do."""

    change_list_template = "console/roles.html"
    change_form_template = add_form_template = "console/person.html"

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(request, {"title": "Roles"} | (extra_context or {}))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)


def _may_touch(request: HttpRequest, person: Any) -> bool:
    return bool(request.user.is_superuser) or person is None or not person.is_superuser
