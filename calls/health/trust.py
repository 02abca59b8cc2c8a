"""What is found of doors that stand open and of an audit log that was touched."""

from django.utils.translation import gettext as _

from calls.database import DATABASE_AWAY
from calls.doors.openness import open_doors
from calls.health.findings import Finding, Level
from calls.models import AuditCheck


def check_doors() -> Finding:
    """See whether machines must prove themselves at every door."""
    if said := open_doors():
        do = _("Set them to required once ACS comes through with its token.")
        return Finding("doors", Level.WARNING, " ".join(said), do)
    says = _("Machines must prove themselves at every door.")
    return Finding("doors", Level.OK, says)


def check_audit() -> Finding:
    """Tell what the last look along the audit log's chain found."""
    try:
        last = AuditCheck.objects.first()
    except DATABASE_AWAY:
        return Finding("audit", Level.WARNING, _("The database cannot be asked."))
    if last is None:
        return Finding("audit", Level.OK, _("The audit log has not been verified yet."))
    figures = {"sequence": last.sequence, "faults": last.faults}
    if last.faults:
        says = _("The audit log is not intact: %(words)s") % {"words": last.words}
        do = _("Run `manage.py verify_audit`; docs/audit.md says what to keep.")
        return Finding("audit", Level.WARNING, says, do, figures)
    says = _("The audit log is intact up to entry %(sequence)d.") % figures
    return Finding("audit", Level.OK, says, "", figures)
