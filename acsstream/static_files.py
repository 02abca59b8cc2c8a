"""How static files are named: by what is in them, so that browsers may keep them."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc] # untyped
    """WhiteNoise's, which also follows `import … from "./other.js"` in our modules.

    Without that a page would load the hashed entry and then the unhashed, uncached
    rest; after an upgrade perhaps the old rest.
    """

    support_js_module_import_aggregation = True
